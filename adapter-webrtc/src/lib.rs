//! Consonance over WebRTC data channels. Not built yet: the seam is here so that the layout is known.
