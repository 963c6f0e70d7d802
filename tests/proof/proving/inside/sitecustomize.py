"""What the emulator and the Lambdas it runs have otherwise: their clock, condition keys, and where some names lead.

Python imports this by itself when its folder is on the path, which is how the emulator hands it to its Lambdas
without either knowing.
"""

import proof_clock  # noqa: F401
import proof_keys  # noqa: F401
import proof_names  # noqa: F401
import proof_records  # noqa: F401
import proof_who  # noqa: F401
