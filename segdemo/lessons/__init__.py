"""Lessons: one file per idea of the lecture that wants to be seen from the inside. They compute; ``ui.lessons`` draws."""
