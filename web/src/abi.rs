//! What JavaScript sees: functions of numbers, and buffers that both sides read and write. `processor.js` is the other end.
//!
//! One engine a module: an AudioWorklet has one instance for each node. Bytes that go in are written to [`input`] before the call that is told their
//! number; bytes that come out are read from [`output`] after the call that returned their number. Times are those of `Date.now()` in microseconds. Every
//! function takes any numbers: what makes no sense is ignored, or answered by 0 or a negative number.
//!
//! The only file with `unsafe` code. The rule it keeps: the one static is reached through [`with`] alone, which lends it to one call at a time.

// Public, so that they are exported; nobody in Rust calls them.
#![allow(unsafe_code, unreachable_pub)]

use std::cell::UnsafeCell;

use voice_audio::Activation;
use voice_core::{ClientId, Delivery, Priority};

use crate::{Due, Engine, FrameFor, MAX_BLOCK, MAX_PCM, Refusal, Settings};

/// Bytes that go in at once: a name and a text of 2,000 B, or a message.
const INPUT: usize = 4_096;
/// Numbers of the longest list of levels: two, and two for each voice.
const LEVELS: usize = 2 + 2 * 64;

/// [`FrameFor`] as a number.
const OTHERS: u32 = 1;
const ONESELF: u32 = 2;
const LAST: u32 = 4;

struct Shared {
    engine: Option<Engine>,
    input: [u8; INPUT],
    message: Vec<u8>,
    microphone: [f32; MAX_BLOCK],
    left: [f32; MAX_BLOCK],
    right: [f32; MAX_BLOCK],
    pcm: [i16; MAX_PCM],
    levels: [f32; LEVELS],
    /// Where what came out last lies.
    output: *const u8,
}

struct Lent(UnsafeCell<Shared>);

// SAFETY: wasm32-unknown-unknown without atomics has one thread.
unsafe impl Sync for Lent {}

static SHARED: Lent = Lent(UnsafeCell::new(Shared {
    engine: None,
    input: [0; INPUT],
    message: Vec::new(),
    microphone: [0.0; MAX_BLOCK],
    left: [0.0; MAX_BLOCK],
    right: [0.0; MAX_BLOCK],
    pcm: [0; MAX_PCM],
    levels: [0.0; LEVELS],
    output: std::ptr::null(),
}));

/// Lends what is shared for the length of a call.
fn with<R>(call: impl FnOnce(&mut Shared) -> R) -> R {
    // SAFETY: there is one thread, and no function here is called from within another's `call`: the module imports nothing, so nothing runs
    // meanwhile. JavaScript reads and writes the buffers only between calls.
    call(unsafe { &mut *SHARED.0.get() })
}

/// The same with the engine; what `none` is while there is no engine.
fn engine<R>(none: R, call: impl FnOnce(&mut Engine, &mut Buffers<'_>) -> R) -> R {
    with(|shared| {
        let Shared { engine, input, message, microphone, left, right, pcm, levels, output } = shared;
        let Some(engine) = engine else { return none };
        call(engine, &mut Buffers { input, message, microphone, left, right, pcm, levels, output })
    })
}

/// All that is shared but the engine.
struct Buffers<'a> {
    input: &'a [u8; INPUT],
    message: &'a mut Vec<u8>,
    microphone: &'a [f32; MAX_BLOCK],
    left: &'a mut [f32; MAX_BLOCK],
    right: &'a mut [f32; MAX_BLOCK],
    pcm: &'a mut [i16; MAX_PCM],
    levels: &'a mut [f32; LEVELS],
    output: &'a mut *const u8,
}

impl Buffers<'_> {
    /// The first bytes of the input; less if there are not so many.
    fn bytes(&self, len: u32) -> &[u8] {
        self.input.get(..len as usize).unwrap_or(self.input)
    }

    /// The same as text; empty if it is none.
    fn text(&self, len: u32) -> &str {
        str::from_utf8(self.bytes(len)).unwrap_or("")
    }

    /// Two texts, one after the other.
    fn texts(&self, first: u32, second: u32) -> (&str, &str) {
        let bytes = self.bytes(first.saturating_add(second));
        let (first, second) = bytes.split_at(bytes.len().min(first as usize));
        (str::from_utf8(first).unwrap_or(""), str::from_utf8(second).unwrap_or(""))
    }

    fn put_message(&mut self) -> u32 {
        *self.output = self.message.as_ptr();
        self.message.len() as u32
    }

    fn put_out(&mut self, text: &str) -> u32 {
        *self.output = text.as_ptr();
        text.len() as u32
    }
}

/// Where bytes that go in are written: 4,096.
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *mut u8 {
    with(|shared| shared.input.as_mut_ptr())
}

/// Where the bytes are that came out last; to be asked for after each call that gives some.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    with(|shared| shared.output)
}

/// Where the microphone's samples are written: 1,024 floats.
#[unsafe(no_mangle)]
pub extern "C" fn microphone() -> *mut f32 {
    with(|shared| shared.microphone.as_mut_ptr())
}

/// Where the left ear's samples are: 1,024 floats.
#[unsafe(no_mangle)]
pub extern "C" fn left() -> *const f32 {
    with(|shared| shared.left.as_ptr())
}

/// Where the right ear's samples are: 1,024 floats.
#[unsafe(no_mangle)]
pub extern "C" fn right() -> *const f32 {
    with(|shared| shared.right.as_ptr())
}

/// Where the samples of a frame to be encoded are: 2,880 16-bit integers.
#[unsafe(no_mangle)]
pub extern "C" fn pcm() -> *const i16 {
    with(|shared| shared.pcm.as_ptr())
}

/// Where levels are.
#[unsafe(no_mangle)]
pub extern "C" fn levels_buffer() -> *const f32 {
    with(|shared| shared.levels.as_ptr())
}

/// Makes the engine; the input is the name and behind it the password. 1 if there is one now.
#[unsafe(no_mangle)]
pub extern "C" fn create(seed_high: u32, seed_low: u32, name: u32, password: u32, bitrate: u32) -> u32 {
    with(|shared| {
        let all = shared.input.get(..name.saturating_add(password) as usize).unwrap_or(&shared.input);
        let (name, password) = all.split_at(all.len().min(name as usize));
        let seed = u64::from(seed_high) << 32 | u64::from(seed_low);
        let name = str::from_utf8(name).unwrap_or("");
        shared.engine = Engine::new(Settings { name, password, bitrate, seed });
        shared.engine.is_some().into()
    })
}

/// Wants to be in the session.
#[unsafe(no_mangle)]
pub extern "C" fn connect(now: f64) {
    engine((), |engine, _| engine.connect(now));
}

/// Wants to be in it no longer.
#[unsafe(no_mangle)]
pub extern "C" fn disconnect(now: f64) {
    engine((), |engine, _| engine.disconnect(now));
}

/// The attempt for which there should be a connection; -1 for none.
#[unsafe(no_mangle)]
pub extern "C" fn transport_wanted() -> f64 {
    engine(-1.0, |engine, _| engine.transport_wanted().map_or(-1.0, f64::from))
}

/// Both data channels are open.
#[unsafe(no_mangle)]
pub extern "C" fn transport_up(now: f64) {
    engine((), |engine, _| engine.transport_up(now));
}

/// The connection is gone, or couldn't be made.
#[unsafe(no_mangle)]
pub extern "C" fn transport_down(now: f64) {
    engine((), |engine, _| engine.transport_down(now));
}

/// The network is there again, or another one.
#[unsafe(no_mangle)]
pub extern "C" fn network_back(now: f64) {
    engine((), |engine, _| engine.network_back(now));
}

/// Takes the message in the input, of the lane or of the voice channel.
#[unsafe(no_mangle)]
pub extern "C" fn receive(now: f64, reliable: u32, len: u32) {
    engine((), |engine, buffers| {
        let delivery = if reliable == 0 { Delivery::Unreliable } else { Delivery::Reliable };
        engine.receive(now, delivery, buffers.bytes(len));
    });
}

/// Puts the next message out: its bytes, negative for the lane; 0 for none.
#[unsafe(no_mangle)]
pub extern "C" fn poll_message(now: f64) -> i32 {
    engine(0, |engine, buffers| {
        let Some(delivery) = engine.poll_message(now, buffers.message) else { return 0 };
        let len = buffers.put_message() as i32;
        if delivery == Delivery::Reliable { -len } else { len }
    })
}

/// Puts out the lane's message that would say good-bye now: its bytes; 0 outside the session.
#[unsafe(no_mangle)]
pub extern "C" fn farewell() -> u32 {
    engine(0, |engine, buffers| if engine.farewell(buffers.message) { buffers.put_message() } else { 0 })
}

/// Hears a block, of which `sample` is the number of the first at 48 kHz.
#[unsafe(no_mangle)]
pub extern "C" fn render(now: f64, sample: f64, samples: u32) {
    engine((), |engine, buffers| {
        let samples = (samples as usize).min(MAX_BLOCK);
        // Saturates; negative ones and what is no number become 0.
        let (left, right) = (&mut buffers.left[..samples], &mut buffers.right[..samples]);
        engine.render(now, sample as u64, left, right);
    });
}

/// Takes so many samples that the microphone gave; 0: there is none. Before the next call, [`next_frame`] is to be asked until there is none.
#[unsafe(no_mangle)]
pub extern "C" fn take_microphone(samples: u32) {
    engine((), |engine, buffers| {
        let samples = (samples as usize).min(MAX_BLOCK);
        engine.take_microphone((samples > 0).then_some(&buffers.microphone[..samples]));
    });
}

/// Does what is due; says what there is to fetch: 1 messages, 2 tidings, 4 levels.
#[unsafe(no_mangle)]
pub extern "C" fn turn(now: f64) -> u32 {
    engine(0, |engine, _| {
        let Due { messages, tidings, levels } = engine.turn(now);
        u32::from(messages) | u32::from(tidings) << 1 | u32::from(levels) << 2
    })
}

/// Puts the next frame to be encoded into [`pcm`]: 0 for none, or the number of samples times 8, and 1 if it is for the others, 2 for oneself, 4 if it is the last
/// of a talkspurt.
#[unsafe(no_mangle)]
pub extern "C" fn next_frame() -> u32 {
    engine(0, |engine, buffers| {
        let Some((wanted, samples)) = engine.next_frame() else { return 0 };
        let len = samples.len().min(MAX_PCM);
        buffers.pcm[..len].copy_from_slice(&samples[..len]);
        let flags = [(wanted.others, OTHERS), (wanted.oneself, ONESELF), (wanted.last, LAST)];
        let flags = flags.iter().filter(|(set, _)| *set).fold(0, |flags, (_, flag)| flags | flag);
        (len as u32) << 3 | flags
    })
}

/// Takes the packet in the input, with the flags that its frame had.
#[unsafe(no_mangle)]
pub extern "C" fn take_encoded(now: f64, flags: u32, len: u32) {
    engine((), |engine, buffers| {
        let is = |flag| flags & flag != 0;
        let wanted = FrameFor { others: is(OTHERS), oneself: is(ONESELF), last: is(LAST) };
        engine.take_encoded(now, wanted, buffers.bytes(len));
    });
}

/// What the encoder should do, in bits from the lowest: 17 for bit/s, 5 for the expected loss in percent, 1 for FEC, 6 for the milliseconds of a frame.
#[unsafe(no_mangle)]
pub extern "C" fn encoder_advice() -> u32 {
    engine(0, |engine, _| {
        let advice = engine.encoder_advice();
        let loss = u32::from(advice.expected_loss_percent).min(31);
        let frame = u32::from(advice.frame_length.ms());
        advice.bitrate.min(0x1_FFFF) | loss << 17 | u32::from(advice.fec) << 22 | frame << 23
    })
}

/// Puts the next tiding out: its bytes; 0 for none.
#[unsafe(no_mangle)]
pub extern "C" fn poll_tiding() -> u32 {
    engine(0, |engine, buffers| engine.poll_tiding().map_or(0, |tiding| buffers.put_out(tiding)))
}

/// Puts figures of the connection out: their bytes.
#[unsafe(no_mangle)]
pub extern "C" fn stats() -> u32 {
    engine(0, |engine, buffers| buffers.put_out(engine.stats()))
}

/// Writes levels into [`levels_buffer`]: how many numbers.
#[unsafe(no_mangle)]
pub extern "C" fn levels() -> u32 {
    engine(0, |engine, buffers| engine.levels(buffers.levels) as u32)
}

/// Wants to be in the room whose name is the input: 0, or a refusal, negated.
#[unsafe(no_mangle)]
pub extern "C" fn join(now: f64, name: u32) -> i32 {
    engine(0, |engine, buffers| engine.join(now, buffers.text(name)).map_or_else(negated, |()| 0))
}

/// Wants to be in the room no longer whose name is the input.
#[unsafe(no_mangle)]
pub extern "C" fn leave(now: f64, name: u32) {
    engine((), |engine, buffers| engine.leave(now, buffers.text(name)));
}

/// Wants to speak to the room whose name is the input, or not to.
#[unsafe(no_mangle)]
pub extern "C" fn talk_to(name: u32, on: u32) {
    engine((), |engine, buffers| engine.talk_to(buffers.text(name), on != 0));
}

/// Wants to whisper to somebody, or not to: 0, or a refusal, negated.
#[unsafe(no_mangle)]
pub extern "C" fn whisper(now: f64, person: u32, on: u32) -> i32 {
    let unknown = negated(Refusal::Unknown);
    let Some(person) = id(person) else { return unknown };
    engine(unknown, |engine, _| engine.whisper(now, person, on != 0).map_or_else(negated, |()| 0))
}

/// Sets what makes a talkspurt: 0 the key, 1 speech, 2 everything.
#[unsafe(no_mangle)]
pub extern "C" fn set_activation(activation: u32) {
    let Some(activation) = [Activation::PushToTalk, Activation::Voice, Activation::Open].get(activation as usize)
    else {
        return;
    };
    engine((), |engine, _| engine.set_activation(*activation));
}

/// Sets the level from which voice activation takes a sound for speech, dBFS.
#[unsafe(no_mangle)]
pub extern "C" fn set_threshold(dbfs: f32) {
    engine((), |engine, _| engine.set_threshold(dbfs));
}

/// The key is held, or let go.
#[unsafe(no_mangle)]
pub extern "C" fn set_talking(on: u32) {
    engine((), |engine, _| engine.set_pressed(on != 0));
}

/// Mutes oneself.
#[unsafe(no_mangle)]
pub extern "C" fn set_muted(now: f64, on: u32) {
    engine((), |engine, _| engine.set_muted(now, on != 0));
}

/// Hears nobody.
#[unsafe(no_mangle)]
pub extern "C" fn set_deafened(now: f64, on: u32) {
    engine((), |engine, _| engine.set_deafened(now, on != 0));
}

/// Sets the own priority: 1 low, 2 default, 3 medium, 4 high.
#[unsafe(no_mangle)]
pub extern "C" fn set_priority(now: f64, priority: u32) {
    let priority = u8::try_from(priority).ok().and_then(Priority::from_number);
    let Some(priority) = priority else { return };
    engine((), |engine, _| engine.set_priority(now, priority));
}

/// Mutes somebody here.
#[unsafe(no_mangle)]
pub extern "C" fn set_person_muted(now: f64, person: u32, on: u32) {
    let Some(person) = id(person) else { return };
    engine((), |engine, _| engine.mute_person(now, person, on != 0));
}

/// Sets how loud somebody is, percent.
#[unsafe(no_mangle)]
pub extern "C" fn set_person_volume(person: u32, percent: u32) {
    let Some(person) = id(person) else { return };
    engine((), |engine, _| engine.set_volume(person, percent.min(200) as u8));
}

/// Places somebody, in metres.
#[unsafe(no_mangle)]
pub extern "C" fn place_person(person: u32, x: f32, y: f32) {
    let Some(person) = id(person) else { return };
    engine((), |engine, _| engine.place(person, Some([x, y])));
}

/// Places somebody in the middle.
#[unsafe(no_mangle)]
pub extern "C" fn unplace_person(person: u32) {
    let Some(person) = id(person) else { return };
    engine((), |engine, _| engine.place(person, None));
}

/// Sets the ranges of places, in metres.
#[unsafe(no_mangle)]
pub extern "C" fn set_space(near: f32, far: f32) {
    engine((), |engine, _| engine.set_space(near, far));
}

/// Hears oneself.
#[unsafe(no_mangle)]
pub extern "C" fn set_hear_self(on: u32) {
    engine((), |engine, _| engine.set_hear_self(on != 0));
}

/// Writes to a room; the input is its name and behind it the text. The text's number, or a refusal, negated.
#[unsafe(no_mangle)]
pub extern "C" fn write_to_room(now: f64, name: u32, text: u32) -> i32 {
    engine(negated(Refusal::NotConnected), |engine, buffers| {
        let (room, text) = buffers.texts(name, text);
        engine.write_to_room(now, room, text).map_or_else(negated, i32::from)
    })
}

/// Writes to a person; the input is the text. The text's number, or a refusal, negated.
#[unsafe(no_mangle)]
pub extern "C" fn write_to_person(now: f64, person: u32, text: u32) -> i32 {
    let Some(person) = id(person) else { return negated(Refusal::Unknown) };
    engine(negated(Refusal::NotConnected), |engine, buffers| {
        engine.write_to_person(now, person, buffers.text(text)).map_or_else(negated, i32::from)
    })
}

fn id(number: u32) -> Option<ClientId> {
    ClientId::new(u16::try_from(number).ok()?)
}

fn negated(refusal: Refusal) -> i32 {
    -(refusal as i32)
}
