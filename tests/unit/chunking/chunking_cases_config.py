"""Data, configuration and build files: a small real text per language, and every symbol that is in it."""

from chunking_case import Case

CASES = [
    Case(
        "cmake",
        "CMakeLists.txt",
        """\
cmake_minimum_required(VERSION 3.1)
project(demo)

function(add_thing name)
  message(STATUS ${name})
endfunction()

macro(do_it)
  message("x")
endmacro()

add_executable(demo main.c)
""",
        {"add_thing": "function", "do_it": "macro", "demo": "target"},
    ),
    Case(
        "dockerfile",
        "Dockerfile",
        """\
FROM python:3.11 AS build
RUN pip install x
COPY . /src

FROM debian
COPY --from=build /src /src
CMD ["x"]
""",
        {"build": "section", "debian": "section"},
    ),
    Case(
        "graphql",
        "a.graphql",
        """\
type Person implements Node {
  id: ID!
  name: String
}

enum Color { RED }

interface Node { id: ID! }

input NewPerson { name: String }

query GetPerson($id: ID!) {
  person(id: $id) { name }
}

fragment F on Person { name }
""",
        {
            "Person": "class",
            "Color": "enum",
            "Node": "interface",
            "NewPerson": "type",
            "GetPerson": "function",
            "F": "function",
        },
    ),
    Case(
        "hcl",
        "a.tf",
        """\
variable "region" {
  default = "eu"
}

resource "aws_instance" "web" {
  ami = "x"
  ebs_block_device {
    size = 1
  }
}

module "vpc" {
  source = "./vpc"
}
""",
        {"variable.region": "section", "resource.aws_instance.web": "section", "module.vpc": "section"},
    ),
    Case(
        "ini",
        "a.ini",
        """\
top = 1

[server]
host = x
port = 1

[client]
name = y
""",
        {"server": "section", "client": "section"},
    ),
    Case(
        "json",
        "a.json",
        """\
{
  "name": "x",
  "scripts": {
    "build": "y",
    "test": "z"
  },
  "list": [1, 2]
}
""",
        {"name": "key", "scripts": "key", "scripts.build": "key", "scripts.test": "key", "list": "key"},
    ),
    Case(
        "json5",
        "a.json5",
        """\
// c
{
  name: 'x',
  "scripts": {
    build: 'y',
  },
}
""",
        {"name": "key", "scripts": "key", "scripts.build": "key"},
    ),
    Case(
        "jsonc",
        "tsconfig.json",
        """\
// c
{
  "compilerOptions": {
    "strict": true // yes
  },
  "include": ["src"]
}
""",
        {"compilerOptions": "key", "compilerOptions.strict": "key", "include": "key"},
    ),
    Case(
        "jsonnet",
        "a.jsonnet",
        """\
local add(a, b) = a + b;
local x = 1;
{
  name: "x",
  nested: {
    a: add(1, 2),
  },
  method(a):: a,
}
""",
        {"add": "function", "x": "variable", "name": "key", "nested": "key", "nested.a": "key", "method": "function"},
    ),
    Case(
        "just",
        "justfile",
        """\
version := "1"

# builds
build target:
    echo {{target}}
    make

test: (build "x")
    pytest

alias t := test
""",
        {"version": "target", "build": "target", "test": "target", "t": "target"},
    ),
    Case(
        "kdl",
        "a.kdl",
        """\
package {
    name "x"
    version "1"
}
server "main" port=80 {
    host "y"
}
""",
        {"package": "key", "package.name": "key", "package.version": "key", "server": "key", "server.host": "key"},
    ),
    Case(
        "make",
        "Makefile",
        """\
CC = gcc

define HELP
usage
endef

.PHONY: all clean

all: main.o
\t$(CC) -o main main.o

clean:
\trm -f *.o
\trm -f main
""",
        {"CC": "variable", "HELP": "macro", ".PHONY": "target", "all": "target", "clean": "target"},
    ),
    Case(
        "nix",
        "a.nix",
        """\
{ pkgs ? import <nixpkgs> {} }:
let
  version = "1";
  build = x: y:
    x + y;
in
{
  name = "a";
  shell = pkgs.mkShell {
    buildInputs = [ pkgs.gcc ];
  };
}
""",
        {"version": "variable", "build": "function", "name": "variable", "shell": "variable"},
    ),
    Case(
        "properties",
        "a.properties",
        """\
# c
server.port=80
server.host = x
""",
        {"server.port": "key", "server.host": "key"},
    ),
    Case(
        "proto",
        "a.proto",
        """\
syntax = "proto3";
package geo;

message Circle {
  int32 r = 1;
  message Inner {
    int32 x = 1;
  }
}

enum Color { RED = 0; }

service Geo {
  rpc Area(Circle) returns (Circle);
}
""",
        {"Circle": "struct", "Circle.Inner": "struct", "Color": "enum", "Geo": "class", "Geo.Area": "method"},
    ),
    Case(
        "sql",
        "a.sql",
        """\
CREATE TABLE users (
  id INT PRIMARY KEY,
  name TEXT
);

CREATE INDEX idx_name ON users (name);

CREATE VIEW active AS
SELECT * FROM users;

CREATE OR REPLACE FUNCTION add_one(x INT) RETURNS INT AS $$
BEGIN
  RETURN x + 1;
END;
$$ LANGUAGE plpgsql;

SELECT * FROM users;
""",
        {"users": "table", "idx_name": "table", "active": "table", "add_one": "function"},
    ),
    Case(
        "starlark",
        "BUILD.bazel",
        """\
load("//x:y.bzl", "z")

LIMIT = 10

def add(a, b):
    c = a
    return c + b

cc_library(
    name = "geo",
    srcs = ["geo.cc"],
)
""",
        {"LIMIT": "constant", "add": "function", "geo": "target"},
    ),
    Case(
        "toml",
        "a.toml",
        """\
title = "x"

[server]
host = "y"

[server.tls]
on = true

[[items]]
a = 1
""",
        {"title": "key", "server": "section", "server.tls": "section", "items": "section"},
    ),
    Case(
        "yaml",
        "a.yml",
        """\
# c
name: x
on:
  push:
    branches: [main]
jobs:
  build:
    runs-on: y
    steps:
      - run: z
---
second: 1
""",
        {
            "name": "key",
            "on": "key",
            "on.push": "key",
            "jobs": "key",
            "jobs.build": "key",
            "jobs.build.runs-on": "key",
            "jobs.build.steps": "key",
        },
    ),
]
