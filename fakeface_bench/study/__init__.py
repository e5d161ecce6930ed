"""One study: search one architecture on one dataset, score test once, record it all."""
