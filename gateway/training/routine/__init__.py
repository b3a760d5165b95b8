"""The prior of the gap detector, made anew: `python -m gateway.training.routine FOLDER`."""
