use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use voice_audio::{Activation, Capture, CaptureConfig, Detection, FrameLength, GainControl, InputFormat, Stages};

use crate::microphone::speech;

thread_local! {
    static COUNTED: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread.
struct Counting;

fn count(bytes: isize) {
    COUNTED.with(|counted| counted.set(counted.get() + 1));
    HELD.with(|held| held.set(held.get() + bytes));
}

// SAFETY: every call is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`, and the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls to the allocator on this thread, and bytes that it holds on to.
fn used() -> (usize, isize) {
    (COUNTED.with(Cell::get), HELD.with(Cell::get))
}

fn config(rate: u32, frame_length: FrameLength) -> CaptureConfig {
    let input = InputFormat { rate, channels: 2 };
    CaptureConfig { input, frame_length, ..CaptureConfig::default() }
}

/// Speech with all that can be changed changed all the time, and a stall.
fn run(capture: &mut Capture, pcm: &[f32]) -> usize {
    let mut sent = 0;
    for (n, block) in pcm.chunks(960).enumerate() {
        capture.push_f32(block);
        sent += pull_all(capture);
        change(capture, n);
    }
    capture.push_f32(pcm);
    capture.finish();
    sent + pull_all(capture)
}

fn pull_all(capture: &mut Capture) -> usize {
    let mut sent = 0;
    while let Some(frame) = capture.pull() {
        sent += usize::from(frame.kind.is_speech());
    }
    sent
}

fn change(capture: &mut Capture, n: usize) {
    let modes = [Activation::Voice, Activation::Open, Activation::PushToTalk, Activation::Voice];
    let switched = Stages { denoise: n & 8 == 0, gain: n & 16 == 0, limiter: n & 4 == 0, ..Stages::ALL };
    capture.set_stages(switched);
    capture.set_activation(modes[n / 50 % 4]);
    capture.set_pressed(n % 30 < 20);
    capture.set_muted(n % 97 > 90);
    capture.set_gain(GainControl::default());
    capture.set_detection(Detection::default());
    assert!(capture.input_level().peak >= 0.0);
}

#[test]
fn nothing_is_allocated_after_construction() {
    let pcm = speech(1, 0.4);
    for (rate, frame_length) in [(48_000, FrameLength::Ms20), (44_100, FrameLength::Ms10), (16_000, FrameLength::Ms60)]
    {
        let mut capture = Capture::new(config(rate, frame_length)).unwrap();
        let before = used();
        let sent = run(&mut capture, &pcm);
        assert_eq!(used(), before, "{rate} Hz");
        assert!(sent > 10);
    }
}

#[test]
fn a_pipeline_takes_at_most_512_kib() {
    let before = used().1;
    let capture = Capture::new(CaptureConfig::default()).unwrap();
    let takes = used().1 - before + size_of_val(&capture) as isize;
    assert!((50_000..512 * 1_024).contains(&takes), "{takes}");
}

#[test]
fn a_thread_that_is_prepared_allocates_nothing_either() {
    let pcm = speech(1, 0.4);
    let mut capture = Capture::new(config(48_000, FrameLength::Ms20)).unwrap();
    let other = std::thread::spawn(move || {
        Capture::prepare_thread();
        let before = used();
        run(&mut capture, &pcm);
        assert_eq!(used(), before);
    });
    other.join().unwrap();
}

#[cfg(feature = "echo")]
#[test]
fn the_echo_canceller_holds_on_to_nothing() {
    let pcm = speech(1, 0.4);
    let render = Some(InputFormat { rate: 48_000, channels: 2 });
    let mut capture = Capture::new(CaptureConfig { render, ..config(48_000, FrameLength::Ms20) }).unwrap();
    let mut second = || {
        for block in pcm.chunks(960) {
            capture.push_render_f32(block);
            capture.push_f32(block);
            pull_all(&mut capture);
        }
        used().1
    };
    let settled = second();
    let later = [second(), second(), second()];
    assert!(later.iter().all(|held| (held - settled).abs() < 1_024), "{settled} became {later:?}");
}
