//! Consonance over one UDP port. Not built yet: the seam is here so that the layout is known.
