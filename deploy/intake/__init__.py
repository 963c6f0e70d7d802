"""From a SAM or CloudFormation template, or a deployed stack, to a `sereno.yaml`.

`decode` makes plain data of text, `template` a scope of data, `scope` and `intrinsics` values of expressions;
`functions`, `apis` and `tables` find what is watched, `uses` which function uses which table; `intake` joins it all,
`write` makes the file. Nothing is guessed in silence: what a template does not tell is in the log as unresolved, what
was written instead as assumed.
"""
