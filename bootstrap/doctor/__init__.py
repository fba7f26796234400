"""Judgement: pure functions from facts and needs to findings. Nothing here looks at the host."""
