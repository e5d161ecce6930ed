"""The jobs beside a study: compare, suite, evaluate, generalise, robustness, predict, audit."""
