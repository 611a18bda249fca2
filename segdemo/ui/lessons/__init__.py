"""The lessons on the page, a file each; ``segdemo.lessons`` computes what they show."""
