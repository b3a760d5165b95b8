"""The fall detector's forest, from recordings of people: `make train-falls DATA=folder`.

recordings.py  the sets, trial by trial          watches.py   the same on another watch
made_up.py     daily life made up                examples.py  candidates with features and what they were
fit.py         examples -> a model               score.py     findings -> sensitivity, specificity, false alarms
validate.py    nobody judged by a model that saw him    card.py   what the model is and what it cannot do
"""
