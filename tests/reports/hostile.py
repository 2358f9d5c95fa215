"""Text as an attacker would leave it in run history: markup, terminal codes, direction marks, formulas."""

SCRIPT = "<script>window.hit=1</script>"
IMAGE = '"><img src="https://example.invalid/x.png" onerror="window.hit=1">'
ANSI = "\x1b[31mred\x1b[0m \x1b]8;;https://example.invalid\x07link\x1b]8;;\x07\x9b31m"
BIDI = "invoice\u202egpj.exe\u2066\u200b"
FORMULA = '=HYPERLINK("https://example.invalid","pay")'
STYLE = "</style></svg><style>*{display:none}</style><svg onload=window.hit=1>"
NUL = "zero\x00byte"
EVERYTHING = (SCRIPT, IMAGE, ANSI, BIDI, FORMULA, STYLE, NUL)
