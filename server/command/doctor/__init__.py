"""`rollcall doctor`: checks an installation and says what to do; changes nothing."""
