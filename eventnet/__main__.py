"""``python -m eventnet`` is the command ``eventnet``."""

import sys

from eventnet.cli import main

sys.exit(main())
