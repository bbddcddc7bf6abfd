"""Labels over HTTP: texts, the classifiers that label them, and alerts."""
