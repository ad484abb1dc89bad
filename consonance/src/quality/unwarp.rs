//! Heard speech put back in the time of what was spoken, for measures that compare moment by moment.

/// Over so many samples one piece fades into the next where they don't follow each other: 2.5 ms.
const FADE: usize = 120;

/// For each frame of `length` samples takes the sound at the place where it was heard. A frame that never was takes what was heard
/// after the frame before it; what lies outside `heard` is silent.
pub(super) fn unwarp(heard: &[i16], places: &[Option<usize>], length: usize) -> Vec<i16> {
    let first = places.iter().enumerate().find_map(|(n, place)| place.map(|at| at as i64 - (n * length) as i64));
    let mut follows = first.unwrap_or(0);
    let sample = |at: i64| usize::try_from(at).ok().and_then(|at| heard.get(at)).copied().unwrap_or(0);
    let mut out = Vec::with_capacity(places.len() * length);
    for place in places {
        let begins = place.map_or(follows, |at| at as i64);
        for i in 0..length {
            let (new, old) = (sample(begins + i as i64), sample(follows + i as i64));
            let fade = FADE.min(length);
            out.push(if i < fade && begins != follows { blend(old, new, i, fade) } else { new });
        }
        follows = begins + length as i64;
    }
    out
}

fn blend(from: i16, to: i16, step: usize, steps: usize) -> i16 {
    let (step, steps) = (step as i32, steps as i32);
    ((i32::from(from) * (steps - step) + i32::from(to) * step) / steps) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sound that tells at each sample which one it is.
    fn ramp(samples: usize) -> Vec<i16> {
        (0..samples).map(|n| n as i16).collect()
    }

    #[test]
    fn sound_that_only_came_later_is_moved_back() {
        let places = [Some(700), Some(1_180), Some(1_660)];
        assert_eq!(unwarp(&ramp(3_000), &places, 480), &ramp(3_000)[700..700 + 3 * 480]);
    }

    #[test]
    fn what_was_put_in_between_frames_is_left_out() {
        // 240 samples more than spoken between the first frame and the second.
        let out = unwarp(&ramp(3_000), &[Some(0), Some(720)], 480);
        assert_eq!(out[..480], ramp(3_000)[..480]);
        assert_eq!(out[480], 480, "the fade begins with what follows the first frame");
        assert_eq!(out[480 + FADE..], ramp(3_000)[720 + FADE..1_200]);
    }

    #[test]
    fn a_frame_that_was_never_played_takes_what_was_heard_in_its_place() {
        let out = unwarp(&ramp(3_000), &[None, Some(960), None, Some(1_920)], 480);
        assert_eq!(out, ramp(3_000)[480..2_400]);
    }

    #[test]
    fn nothing_outside_of_what_was_heard_is_read() {
        assert_eq!(unwarp(&[1; 480], &[None, Some(100), None], 480).len(), 1_440);
        assert_eq!(unwarp(&[], &[None, Some(usize::MAX / 4)], 480), [0; 960]);
    }
}
