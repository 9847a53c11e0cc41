"""Floor 7: the composition root. Source to meter to rater to report; the one place that joins the rooms."""
