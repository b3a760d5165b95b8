"""The emulated bracelet: a Polar Verity Sense on Bumble, worn by somebody who moves.

The modules, from the wrist to the air:

    motion.py      how people move, made up: daily life and falls
    recordings.py  how people moved, recorded
    wearer.py      the wearer: plays motions one after the other at 52 Hz
    pmd.py         Polar Measurement Data, from the sensor's side
    verity.py      the device: advertising, heart rate, battery, measurement stream
    control.py     what a scenario may do with bracelet, wearer and BlueZ
    __main__.py    the bench process
    bonded.py      another bracelet, which tells its battery only to whom it is bonded with

Only the button is missing: a Verity Sense has one, but it is no alarm button.
"""
