"""Who signs with which key: a Lambda writes its own name into the folder that `SERENO_PROOF_WHO` names, in a file
that is called as its access key is. So a call that was seen on its way can be told to be its."""

import os
from pathlib import Path

if "SERENO_PROOF_WHO" in os.environ and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    Path(os.environ["SERENO_PROOF_WHO"], os.environ["AWS_ACCESS_KEY_ID"]).write_text(
        f"{os.environ['AWS_REGION']} {os.environ['AWS_LAMBDA_FUNCTION_NAME']}"
    )
