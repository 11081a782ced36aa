"""Templates end soon and stay small, whatever is written in them; ordinary ones work as in Jinja."""

from __future__ import annotations

import re
import time
from pathlib import Path

import jinja2
import pytest

from ksqlkit.errors import TemplateError
from ksqlkit.project.render import Renderer

SOON = (
    60  # seconds, so that a busy machine is no failure; without the budget it is hours, or all of the memory
)
LONG = "{% set x = 'x' * 3000000 %}"
RUNAWAYS = [
    "{{ 'x' * 2000000000 }}",
    "{{ 2000000000 * 'x' }}",
    "{{ [1] * 2000000000 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '%.1000000000f' % 1.0 }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ '{:>{}}'.format(1, 1000000000) }}",
    "{{ '{0:>{1}}'.format_map({'0': 1}) }}",
    "{{ '%1000000000d' | format(1) }}",
    "{{ ('%(a)9999d' * 300000) % {'a': 1} }}",
    LONG + "{{ ('%(a)s' * 1000) % {'a': x} }}",
    LONG + "{{ x.replace('x', x) }}",
    LONG + "{{ x | replace('', x) }}",
    LONG + "{{ x.join(range(1000) | map('string')) }}",
    LONG + "{{ x.join(x) }}",
    LONG + "{{ ([x] * 1000) | join(x) }}",
    LONG + "{{ [x] * 1000000 }}",
    LONG + "{{ x ~ x }}",
    LONG + "{{ x + x }}",
    LONG + "{{ ('\\n' * 3000000) | indent(x) }}",
    LONG + "{{ ('\\n' * 3000000) | indent(9999) }}",
    "{% set x = [['xxxxxxxxxx'] * 1000] * 1000 %}{{ x | string }}",
    "{% set x = [['xxxxxxxxxx'] * 1000] * 1000 %}{{ x | tojson }}",
    "{{ 'x'.center(1000000000) }}",
    "{{ 'x' | center(1000000000) }}",
    "{{ 'x'.zfill(1000000000) }}",
    "{{ ['x'] | batch(1000000000, 1) | list }}",
    "{{ ['x'] | slice(1000000000) | list }}",
    "{{ 1.5 | round(1000000000, 'ceil') }}",
    "{{ {'a': 1} | tojson(1000000000) }}",
    "{{ '\t'.expandtabs(1000000000) }}",
    "{{ 'x'.translate({120: 'y'}) }}",
    "{{ (9 ** 999) ** 9999 }}",
    "{{ (2 ** 9999) * (2 ** 9999) }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) recursive %}{{ loop(range(99999)) }}{% endfor %}",
    "{% macro m(n) %}{% if n %}{% set a = m(n - 1) ~ m(n - 1) %}{% endif %}{% endmacro %}{{ m(100) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% set x = 'x' * 10000 %}{% set y %}{% for i in range(99999) %}{{ x }}{% endfor %}{% endset %}",
    "{% set y %}{% for i in range(99999) %}" + "-" * 10_000 + "{% endfor %}{% endset %}",
    "{% set x = 'xx' %}" + "{% set x = x ~ x %}" * 60,
    "{% set x = [1] %}" + "{% set x = x + x %}" * 60,
    "{{ " + "(" * 10_000 + "1" + ")" * 10_000 + " }}",
]


def render(folder: Path, text: str, variables: dict[str, object] | None = None) -> str:
    path = folder / "a.sql"
    path.write_text(text)
    return Renderer(variables or {}).render(path)[0]


@pytest.mark.parametrize("text", RUNAWAYS, ids=[re.sub(r"\s+", " ", text)[:60] for text in RUNAWAYS])
def test_a_runaway_template_is_refused_soon(tmp_path: Path, text: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(TemplateError) as caught:
        render(tmp_path, text)
    assert time.perf_counter() - begun < SOON
    assert caught.value.location is not None
    assert caught.value.location.file == str(tmp_path / "a.sql")


ORDINARY = [
    "{% for c in ['A', 'B'] %}{{ loop.index }}/{{ loop.length }} {{ c }}{% if not loop.last %}, {% endif %}"
    "{% endfor %}",
    "{% for a, b in {'x': 1, 'y': 2}.items() %}{{ a ~ '=' ~ b }} {% else %}none{% endfor %}",
    "{% for a in [] %}x{% else %}none{% endfor %}",
    "{% for n in [1, [2, [3]]] recursive %}{% if n is iterable %}({{ loop(n) }}){% else %}{{ n }}"
    "{% endif %}{% endfor %}",
    "{{ ['a', 'b'] | map('upper') | join(', ') }} {{ [3, 1] | sort | first }} {{ 86400000 | default(99999999) }}",
    "{{ '%s-%05.2f' % ('a', 1.5) }} {{ '{:>5}|{a}'.format(1, a=2) }} {{ '%s' | format('x') }} {{ 7 % 4 }}",
    "{{ 'x'.join(['a', 'b']) }} {{ 'aXb'.replace('X', '-') }} {{ 'abc' | replace('b', '') }} {{ 2 ** 10 * 3 + 1 }}",
    "{{ 'a\\nb' | indent(2) }} {{ 'x' | center(5) }} {{ [1, 2, 3] | batch(2) | list }} {{ 'a' * 3 }} {{ [1] + [2] }}",
    "{% macro col(c, t='INT') %}{{ c }} {{ t }}{% endmacro %}{{ col('A') }}, {{ col('B', t='STRING') }}",
    "{{ none }} {{ true }} {{ 1.5 }} {{ [1, 'a'] }} {{ {'a': 1} | tojson }} {{ 'x' | upper | length }}",
    "{% for g in [{'k': 1, 'v': 2}, {'k': 1, 'v': 3}] | groupby('k') %}{{ g.grouper }}:"
    "{{ g.list | sum(attribute='v') }}{% endfor %}",
    "{% for x in range(3) if x % 2 == 0 %}{{ loop.cycle('a', 'b') }}{{ x }}{% endfor %}",
    "{% macro up() %}<{{ caller(1) }}>{% endmacro %}{% call(x) up() %}{{ x }}{% endcall %}",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_templates_write_what_jinja_writes(tmp_path: Path, text: str) -> None:
    assert render(tmp_path, text) == jinja2.Environment().from_string(text).render()


def test_a_large_project_file_is_no_runaway(tmp_path: Path) -> None:
    column = "  SOME_COLUMN_{{ i }} {{ var('type') | upper }},\n"
    text = "{% for i in range(20000) %}" + column + "{% endfor %}"
    assert len(render(tmp_path, text, {"type": "double"}).splitlines()) == 20_000


def test_a_template_that_is_not_utf8_names_its_byte(tmp_path: Path) -> None:
    from ksqlkit.errors import UserError

    path = tmp_path / "a.sql"
    path.write_bytes(b"-- ok\nCREATE \xe9")
    with pytest.raises(UserError, match="byte 0xe9 at offset 13") as caught:
        Renderer({}).render(path)
    assert caught.value.location is not None
    assert (caught.value.location.line, caught.value.location.column) == (2, 8)
