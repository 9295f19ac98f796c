"""Where photos and labels come from: Flickr, and drafts that a bundle makes for annotators."""
