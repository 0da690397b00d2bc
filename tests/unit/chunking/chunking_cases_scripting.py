"""Scripting languages: a small real text per language, and every symbol that is in it."""

from chunking_case import Case

CASES = [
    Case(
        "bash",
        "a.sh",
        """\
#!/bin/bash
VERSION=1

# greets
greet() {
  echo hi
  echo there
}

function leave {
  echo bye
}
""",
        {"VERSION": "variable", "greet": "function", "leave": "function"},
    ),
    Case(
        "batch",
        "a.bat",
        """\
@echo off
call :build
goto :eof

:build
echo building
exit /b 0

:clean
del /q out
exit /b 0
""",
        {"build": "function", "clean": "function"},
    ),
    Case(
        "clojure",
        "a.clj",
        """\
(ns my.app.core
  (:require [clojure.string :as str]))

(def limit 10)

(defn greet
  "Says hi."
  [name]
  (str "hi " name))

(defmacro unless [c & body]
  `(if ~c nil (do ~@body)))

(defprotocol Shape
  (area [this])
  (name [this]))

(defrecord Circle [r]
  Shape
  (area [this] (* r r)))
""",
        {
            "my.app.core": "namespace",
            "limit": "variable",
            "greet": "function",
            "unless": "macro",
            "Shape": "interface",
            "Circle": "class",
        },
    ),
    Case(
        "elixir",
        "a.ex",
        """\
defmodule My.App do
  @moduledoc "Doc"
  use GenServer

  @doc "adds"
  def add(a, b) do
    a + b
  end

  defp hidden(x) when x > 1 do
    x
  end

  defmacro unless(c, do: b) do
    c
  end

  def short(x), do: x
end

defprotocol Size do
  def size(x)
end

defimpl Size, for: Map do
  def size(m) do
    1
  end
end
""",
        {
            "My.App": "module",
            "My.App.add": "function",
            "My.App.hidden": "function",
            "My.App.unless": "macro",
            "My.App.short": "function",
            "Size": "interface",
            "Size.size": "method",
            "Size.Map": "impl",
            "Size.Map.size": "method",
        },
    ),
    Case(
        "erlang",
        "a.erl",
        """\
-module(geo).
-export([area/1]).
-record(point, {x, y}).
-define(PI, 3.14).

area({square, S}) ->
    S * S;
area({circle, R}) ->
    3 * R.

start() ->
    ok.
""",
        {"point": "struct", "PI": "macro", "area": "function", "start": "function"},
    ),
    Case(
        "groovy",
        "a.groovy",
        """\
package geo

class Circle {
    int r

    int area() {
        return r * r
    }
}

def add(a, b) {
    return a + b
}
""",
        {"Circle": "class", "Circle.r": "variable", "Circle.area": "method", "add": "function"},
    ),
    Case(
        "javascript",
        "a.js",
        """\
import x from "x";

export const limit = 10;

export default function main() {
  return 1;
}

export class Circle extends Shape {
  r = 1;
  area() {
    return this.r;
  }
  static of(r) {
    return new Circle(r);
  }
}

const add = (a, b) => {
  return a + b;
};

exports.sub = function (a, b) {
  return a - b;
};

Circle.prototype.grow = function () {
  this.r++;
};

module.exports = { add };

describe("things", () => {
  it("works", () => {
    go();
  });
});

const api = {
  get() {
    return 1;
  },
  put: function () {
    return 2;
  },
};

function* gen() {
  yield 1;
}
""",
        {
            "limit": "variable",
            "main": "function",
            "Circle": "class",
            "Circle.r": "variable",
            "Circle.area": "method",
            "Circle.of": "method",
            "add": "function",
            "sub": "function",
            "Circle.grow": "method",
            "api": "variable",
            "api.get": "method",
            "api.put": "function",
            "gen": "function",
        },
    ),
    Case(
        "julia",
        "a.jl",
        """\
module Geo

struct Circle
    r::Int
end

abstract type Shape end

"area"
function area(c::Circle)
    return c.r
end

add(a, b) = a + b

macro twice(x)
    :( $x; $x )
end

const PI2 = 6

end
""",
        {
            "Geo": "module",
            "Geo.Circle": "struct",
            "Geo.Shape": "struct",
            "Geo.area": "function",
            "Geo.add": "function",
            "Geo.twice": "macro",
            "Geo.PI2": "constant",
        },
    ),
    Case(
        "lua",
        "a.lua",
        """\
local M = {}

function M.add(a, b)
  return a + b
end

function M:grow(n)
  self.n = n
end

M.sub = function(a, b)
  return a - b
end

local function hidden()
  return 1
end

local f = function()
  return 2
end

return M
""",
        {
            "M": "variable",
            "M.add": "function",
            "M.grow": "function",
            "M.sub": "function",
            "hidden": "function",
            "f": "function",
        },
    ),
    Case(
        "perl",
        "a.pl",
        """\
package My::App;
use strict;

our $VERSION = 1;

sub new {
    my $class = shift;
    return bless {}, $class;
}

sub add {
    my ($a, $b) = @_;
    return $a + $b;
}

1;
""",
        {"My.App": "module", "My.App.new": "function", "My.App.add": "function"},
    ),
    Case(
        "php",
        "a.php",
        """\
<?php
namespace App\\Geo;

use X\\Y;

interface Shape {
    public function area(): int;
}

abstract class Circle extends Base implements Shape {
    private int $r;
    const PI = 3;

    public function __construct(int $r) {
        $this->r = $r;
    }

    public function area(): int {
        return 1;
    }
}

trait Walks {
    function walk() {
        return 1;
    }
}

enum Color { case Red; }

function add($a, $b) {
    return $a + $b;
}
""",
        {
            "Shape": "interface",
            "Shape.area": "method",
            "Circle": "class",
            "Circle.PI": "constant",
            "Circle.__construct": "method",
            "Circle.area": "method",
            "Walks": "trait",
            "Walks.walk": "method",
            "Color": "enum",
            "add": "function",
        },
    ),
    Case(
        "powershell",
        "a.ps1",
        """\
function Get-Thing {
    param($Name)
    Write-Host $Name
}

class Circle {
    [int]$R
    [int] Area() {
        return $this.R
    }
}

enum Color { Red }

$x = 1
""",
        {"Get-Thing": "function", "Circle": "class", "Circle.Area": "method", "Color": "enum", "x": "variable"},
    ),
    Case(
        "python",
        "a.py",
        '''\
"""Doc."""
import os

LIMIT = 10

@dec
class Circle(Shape):
    """Round."""

    r = 1

    def area(self):
        """Area."""
        return self.r

    @property
    async def x(self):
        return 1

# adds
def add(a, b):
    def inner():
        return 1
    return a + b

if TYPE_CHECKING:
    def hidden():
        pass

type Name = str
''',
        {
            "LIMIT": "constant",
            "Circle": "class",
            "Circle.r": "variable",
            "Circle.area": "method",
            "Circle.x": "method",
            "add": "function",
            "hidden": "function",
            "Name": "type",
        },
    ),
    Case(
        "r",
        "a.R",
        """\
library(x)

limit <- 10

add <- function(a, b) {
  a + b
}

sub = function(a, b) {
  a - b
}
""",
        {"limit": "variable", "add": "function", "sub": "function"},
    ),
    Case(
        "racket",
        "a.rkt",
        """\
#lang racket
(define limit 10)

(define (add a b)
  (+ a b))

(struct point (x y))

(define-syntax-rule (swap x y)
  (set! x y))
""",
        {"limit": "variable", "add": "function", "point": "struct", "swap": "macro"},
    ),
    Case(
        "ruby",
        "a.rb",
        """\
require "x"

module Geo
  LIMIT = 10

  class Circle < Shape
    attr_reader :r

    def initialize(r)
      @r = r
    end

    def self.of(r)
      new(r)
    end
  end
end

def add(a, b)
  a + b
end
""",
        {
            "Geo": "module",
            "Geo.LIMIT": "constant",
            "Geo.Circle": "class",
            "Geo.Circle.initialize": "method",
            "Geo.Circle.of": "method",
            "add": "function",
        },
    ),
    Case(
        "scheme",
        "a.scm",
        """\
(define limit 10)

(define (add a b)
  (+ a b))

(define-record-type point
  (make-point x y)
  point?
  (x point-x))

(define-syntax swap
  (syntax-rules () ((_ a b) a)))
""",
        {"limit": "variable", "add": "function", "point": "struct", "swap": "macro"},
    ),
    Case(
        "tsx",
        "a.tsx",
        """\
import React from "react";

interface Props {
  name: string;
}

export const Card: React.FC<Props> = ({ name }) => {
  return <div>{name}</div>;
};

export default function App() {
  return <Card name="x" />;
}
""",
        {"Props": "interface", "Card": "function", "App": "function"},
    ),
    Case(
        "typescript",
        "a.ts",
        """\
export interface Shape {
  area(): number;
}

export type Name = string;

export enum Color { Red }

export abstract class Circle implements Shape {
  private r = 1;
  constructor(r: number) {
    this.r = r;
  }
  area(): number {
    return this.r;
  }
  abstract grow(): void;
  handle = (e: Event) => {
    go(e);
  };
}

namespace Geo {
  export function add(a: number, b: number): number {
    return a + b;
  }
}

declare module "x" {
  function y(): void;
}

export const sub = async (a: number) => {
  return a;
};
""",
        {
            "Shape": "interface",
            "Shape.area": "method",
            "Name": "type",
            "Color": "enum",
            "Circle": "class",
            "Circle.r": "variable",
            "Circle.constructor": "method",
            "Circle.area": "method",
            "Circle.grow": "method",
            "Circle.handle": "method",
            "Geo": "namespace",
            "Geo.add": "function",
            "x": "module",
            "x.y": "function",
            "sub": "function",
        },
    ),
    Case(
        "vim",
        "a.vim",
        """\
let g:x = 1

function! s:add(a, b) abort
  return a:a + a:b
endfunction

command! Hi call s:add(1, 2)

augroup mine
  autocmd!
augroup END
""",
        {"g.x": "variable", "s.add": "function", "Hi": "function", "mine": "section"},
    ),
]
