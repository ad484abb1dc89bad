#!/bin/sh
# Makes the speech clips of this directory anew. Needs espeak-ng (1.51) and sox; other versions give other bytes.
set -eu
cd "$(dirname "$0")"

# clip NUMBER VOICE PITCH WORDS-PER-MINUTE TEXT
clip() {
    espeak-ng -v "$2" -p "$3" -s "$4" -w spoken.wav "$5"
    sox -D spoken.wav -b 16 -c 1 "voice-$1.wav" rate -v 16000 silence 1 0.01 0.1% norm -3 pad 0.1 0.2
    rm spoken.wav
}

clip 1 en-us+m3 45 155 "The gate is open. I will take the left path, follow me in ten seconds."
clip 2 en-gb+f2 60 165 "Wait for us at the bridge. We still have two crates to carry."
clip 3 en-gb-scotland+m7 30 150 "I can see the red team on the hill. Four of them, and coming down slowly."
clip 4 en-us+f5 75 175 "Good round, everyone! Who wants to play the next one on the island?"
clip 5 en-gb-x-rp+m1 20 140 "Keep quiet now. There is somebody behind that wall."
clip 6 en-us+f3 50 150 "My lamp is nearly empty. Does anybody have some oil to spare?"
clip 7 en-gb-x-gbclan+m5 65 180 "Quick, to the boat, before the tide turns! I will hold the rope."
clip 8 en-gb+f4 35 160 "The map says north, but the compass says nothing. Let us try the old road."
