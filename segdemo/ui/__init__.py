"""The web page. Only this package knows Gradio.

``page.py`` puts it together: ``photo.py`` (the photo all tabs share), a file per tab
(``clustering.py``, ``graphcut.py``, ``networks.py``, ``comparison.py``), ``endpoints.py``
(the HTTP API). All tabs show results through ``viewer/`` and run them through ``workshop.py``.
"""

import os

# Gradio reads this once, when it is imported: nothing is ever sent anywhere.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
