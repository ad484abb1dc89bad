//! What was said on links and what of it was heard: the judge of the transport, which knows nothing of how it works.

use std::collections::{BTreeMap, BTreeSet};

use adapter_udp::LinkId;
use voice_core::Delivery;

/// An end of a link: which endpoint of the run, and its link.
pub(crate) type End = (usize, LinkId);

/// Bytes before the filling: the stream, the delivery and the number.
const HEAD: usize = 5;

/// What one end says. Everything in it is known again at the other end.
struct Stream {
    /// Lengths of the packets, by delivery.
    said: [Vec<usize>; 2],
    /// Reliable packets heard, which come in their order.
    in_order: usize,
    heard: BTreeSet<usize>,
    /// The end that hears it.
    at: Option<End>,
}

/// All that was said in a run.
#[derive(Default)]
pub(crate) struct Streams {
    streams: Vec<Stream>,
    by_speaker: BTreeMap<End, usize>,
    by_listener: BTreeMap<End, usize>,
}

impl Streams {
    /// The packet that this end says next.
    pub(crate) fn packet(&mut self, by: End, delivery: Delivery, len: usize) -> Vec<u8> {
        let at = self.stream_of(by);
        packet(at, delivery, self.streams[at].said[index(delivery)].len(), len)
    }

    /// The packet was taken.
    pub(crate) fn was_said(&mut self, by: End, delivery: Delivery, packet: &[u8]) {
        let at = self.stream_of(by);
        self.streams[at].said[index(delivery)].push(packet.len());
    }

    /// An end hears a packet.
    pub(crate) fn hear(&mut self, at: End, delivery: Delivery, bytes: &[u8]) {
        let number = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        assert!(bytes.len() >= HEAD, "a packet that nobody said: {bytes:?}");
        let (stream_number, seq) = (number(bytes), number(&bytes[3..]));
        let stream = self.streams.get_mut(stream_number).expect("a packet that nobody said");
        let len = stream.said[index(delivery)].get(seq).expect("a packet that nobody said yet");
        assert_eq!(bytes, packet(stream_number, delivery, seq, *len), "a packet was changed");
        assert_eq!(*stream.at.get_or_insert(at), at, "one end is heard at two");
        assert_eq!(*self.by_listener.entry(at).or_insert(stream_number), stream_number, "two ends are heard at one");
        match delivery {
            Delivery::Reliable => {
                assert_eq!(seq, stream.in_order, "the lane is out of order");
                stream.in_order += 1;
            }
            Delivery::Unreliable => assert!(stream.heard.insert(seq), "unreliable packet {seq} is heard twice"),
        }
    }

    /// How much this end has said, by delivery.
    pub(crate) fn said(&mut self, by: End) -> [usize; 2] {
        let at = self.stream_of(by);
        self.streams[at].said.each_ref().map(Vec::len)
    }

    /// Whether something of both deliveries was heard that came after so much.
    pub(crate) fn is_heard_after(&mut self, by: End, [reliable, unreliable]: [usize; 2]) -> bool {
        let at = self.stream_of(by);
        let stream = &self.streams[at];
        stream.in_order > reliable && stream.heard.last().is_some_and(|last| *last >= unreliable)
    }

    /// The end that hears what this one says.
    pub(crate) fn listener_of(&mut self, by: End) -> Option<End> {
        let at = self.stream_of(by);
        self.streams[at].at
    }

    fn stream_of(&mut self, by: End) -> usize {
        let Self { streams, by_speaker, .. } = self;
        *by_speaker.entry(by).or_insert_with(|| {
            streams.push(Stream { said: [Vec::new(), Vec::new()], in_order: 0, heard: BTreeSet::new(), at: None });
            streams.len() - 1
        })
    }
}

const fn index(delivery: Delivery) -> usize {
    matches!(delivery, Delivery::Unreliable) as usize
}

fn packet(stream: usize, delivery: Delivery, seq: usize, len: usize) -> Vec<u8> {
    let [stream, number] = [stream, seq].map(|number| u16::try_from(number).expect("a short run").to_be_bytes());
    let head = [stream[0], stream[1], if delivery == Delivery::Reliable { 0 } else { 0x80 }, number[0], number[1]];
    let filling = (HEAD..len).map(|at| head[4].wrapping_mul(31).wrapping_add(at.to_le_bytes()[0]));
    head.into_iter().chain(filling).collect()
}
