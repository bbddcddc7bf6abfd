"""An experiment read: who was exposed, what they did, what it means, in one sentence."""
