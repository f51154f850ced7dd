"""Where images come from and go to, under the names that skopeo gives them; `transport.py` is what each answers to."""
