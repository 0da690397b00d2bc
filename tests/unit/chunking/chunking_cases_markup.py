"""Mark-up, style sheets and templates: a small real text per language, and every symbol that is in it."""

from chunking_case import Case

CASES = [
    Case(
        "asciidoc",
        "a.adoc",
        """\
= Title

Intro.

== First

Text.

=== Deep

More.
""",
        {"Title": "section", "Title > First": "section", "Title > First > Deep": "section"},
    ),
    Case(
        "astro",
        "a.astro",
        """\
---
import X from "./x.astro";
const title = "hi";
---
<html>
  <body id="main"><h1>{title}</h1></body>
</html>
<style>
h1 { color: red; }
</style>
""",
        {"title": "variable", "body#main": "section", "h1": "rule"},
    ),
    Case(
        "css",
        "a.css",
        """\
:root { --x: 1px; }

.card > h1, #main {
  color: red;
}

@media (max-width: 10px) {
  .card { color: blue; }
}

@keyframes spin {
  from { top: 0; }
}
""",
        {
            ":root": "rule",
            ".card > h1, #main": "rule",
            "@media (max-width: 10px)": "rule",
            "@media (max-width: 10px)..card": "rule",
            "spin": "rule",
        },
    ),
    Case(
        "dtd",
        "a.dtd",
        """\
<!ELEMENT note (to,from)>
<!ATTLIST note id CDATA #REQUIRED>
<!ENTITY writer "Me">
""",
        {"note": "type", "writer": "constant"},
    ),
    Case(
        "embedded_template",
        "a.erb",
        """\
<div>
<% if x %>
  <%= x %>
<% end %>
</div>
""",
        {},
    ),
    Case(
        "gitignore",
        ".gitignore",
        """\
# build
*.o
/dist/
!keep.o
""",
        {},
    ),
    Case(
        "gotmpl",
        "a.gotmpl",
        """\
{{ define "header" }}
<h1>{{ .Title }}</h1>
{{ end }}
{{ block "main" . }}
<p>x</p>
{{ end }}
""",
        {"header": "function", "main": "function"},
    ),
    Case(
        "heex",
        "a.heex",
        """\
<div id="main">
  <.header title="x">
    Text
  </.header>
  <%= @x %>
</div>
""",
        {"div#main": "section"},
    ),
    Case(
        "html",
        "a.html",
        """\
<!doctype html>
<html>
<head><title>T</title>
<script>
function f() {
  return 1;
}
</script>
</head>
<body>
<section id="intro">
  <p>x</p>
</section>
<div id="main" class="c">
  <p>y</p>
</div>
</body>
</html>
""",
        {"f": "function", "section#intro": "section", "div#main": "section"},
    ),
    Case(
        "jinja2",
        "a.j2",
        """\
{% extends "base" %}
{% macro input(name) %}
<input name="{{ name }}">
{% endmacro %}
{% block body %}
<p>x</p>
{% endblock %}
""",
        {"input": "section", "body": "section"},
    ),
    Case(
        "latex",
        "a.tex",
        """\
\\documentclass{article}
\\newcommand{\\hi}[1]{hi #1}
\\begin{document}
\\section{Intro}
Text.
\\subsection{Deep}
More.
\\begin{figure}
x
\\end{figure}
\\section{End}
Bye.
\\end{document}
""",
        {"hi": "macro", "Intro": "section", "End": "section"},
    ),
    Case(
        "markdown",
        "a.md",
        """\
# Title

Intro.

## First

Text.

### Deep

```
# not a heading
```

Setext
======

End.
""",
        {"Title": "section", "Title > First": "section", "Title > First > Deep": "section", "Setext": "section"},
    ),
    Case(
        "org",
        "a.org",
        """\
#+TITLE: T

* First
Text.
** Deep
More.
* Second
End.
""",
        {"First": "section", "First > Deep": "section", "Second": "section"},
    ),
    Case(
        "rst",
        "a.rst",
        """\
=====
Title
=====

Intro.

First
=====

Text.

Deep
----

More.

.. code-block:: python

   x = 1

Second
======

End.
""",
        {
            "Title": "section",
            "Title > First": "section",
            "Title > First > Deep": "section",
            "Title > Second": "section",
        },
    ),
    Case(
        "scss",
        "a.scss",
        """\
$x: 1px;

@mixin round($r) {
  border-radius: $r;
}

@function twice($x) {
  @return $x * 2;
}

.card {
  color: red;
  &:hover { color: blue; }
}

%base { top: 0; }
""",
        {
            "$x": "variable",
            "round($r)": "rule",
            "twice": "function",
            ".card": "rule",
            ".card.&:hover": "rule",
            "%base": "rule",
        },
    ),
    Case(
        "svelte",
        "a.svelte",
        """\
<script lang="ts">
  export let name;
  function greet() {
    return name;
  }
</script>

<main id="app">
  {#if name}
    <h1>{name}</h1>
  {/if}
</main>

<style>
  h1 { color: red; }
</style>
""",
        {"name": "variable", "greet": "function", "main#app": "section", "h1": "rule"},
    ),
    Case(
        "typst",
        "a.typ",
        """\
= Title

Intro.

#let limit = 10
#let add(a, b) = {
  a + b
}

== Deep

More.
""",
        {"Title": "section"},
    ),
    Case(
        "vue",
        "a.vue",
        """\
<template>
  <div id="app">{{ x }}</div>
</template>

<script>
export default {
  name: "x",
  methods: {
    go() {
      return 1;
    },
  },
};
</script>

<style scoped>
div { color: red; }
</style>
""",
        {"div#app": "section", "name": "variable", "methods": "variable", "methods.go": "method", "div": "rule"},
    ),
    Case(
        "xml",
        "a.xml",
        """\
<?xml version="1.0"?>
<project name="x">
  <target name="build">
    <javac/>
  </target>
  <dependency id="d">
    <version>1</version>
  </dependency>
</project>
""",
        {"project#x": "section"},
    ),
]
