"""Compiled languages: a small real text per language, and every symbol that is in it."""

from chunking_case import Case

CASES = [
    Case(
        "c",
        "a.c",
        """\
#include <stdio.h>
#define MAX(a, b) ((a) > (b) ? (a) : (b))

struct point {
    int x;
    int y;
};

enum color { RED, GREEN };

typedef struct {
    int a;
} pair_t;

static const char *names[] = {"a"};

/* adds */
static int *add(int a, int b)
{
    return a + b;
}

int main(void) { return 0; }
""",
        {
            "MAX": "macro",
            "point": "struct",
            "color": "enum",
            "pair_t": "type",
            "names": "variable",
            "add": "function",
            "main": "function",
        },
    ),
    Case(
        "cpp",
        "a.cpp",
        """\
namespace geo {
class Shape : public Base {
 public:
  Shape(int a);
  virtual double area() const {
    return 0;
  }
  int x;
};

template <typename T>
T biggest(T a, T b) {
  return a > b ? a : b;
}

double Shape::perimeter() const {
  return 1;
}

struct P { int x; };
enum class Color { Red };
using Name = std::string;
}  // namespace geo
""",
        {
            "geo": "namespace",
            "geo.Shape": "class",
            "geo.Shape.Shape": "method",
            "geo.Shape.area": "method",
            "geo.Shape.x": "variable",
            "geo.biggest": "function",
            "geo.Shape.perimeter": "method",
            "geo.P": "struct",
            "geo.Color": "enum",
            "geo.Name": "type",
        },
    ),
    Case(
        "csharp",
        "a.cs",
        """\
using System;

namespace Geo {
    public interface IShape {
        double Area();
    }

    public class Circle : IShape {
        private int r;
        public int R { get; set; }

        public Circle(int r) {
            this.r = r;
        }

        public double Area() {
            return r * r;
        }
    }

    public struct P { public int X; }
    public enum Color { Red }
    public record Person(string Name);
}
""",
        {
            "Geo": "namespace",
            "Geo.IShape": "interface",
            "Geo.IShape.Area": "method",
            "Geo.Circle": "class",
            "Geo.Circle.R": "variable",
            "Geo.Circle.Circle": "method",
            "Geo.Circle.Area": "method",
            "Geo.P": "struct",
            "Geo.Color": "enum",
            "Geo.Person": "class",
        },
    ),
    Case(
        "dart",
        "a.dart",
        """\
import 'dart:io';

class Circle extends Shape {
  final int r;
  Circle(this.r);

  double area() {
    return r * r;
  }
}

mixin Walks {
  void walk() {
    print('w');
  }
}

enum Color { red }

extension Ext on String {
  int twice() {
    return 2;
  }
}

int add(int a, int b) {
  return a + b;
}
""",
        {
            "Circle": "class",
            "Circle.area": "method",
            "Walks": "trait",
            "Walks.walk": "method",
            "Color": "enum",
            "Ext": "impl",
            "Ext.twice": "method",
            "add": "function",
        },
    ),
    Case(
        "fortran",
        "a.f90",
        """\
module geo
  implicit none
  type :: point
    real :: x
  end type point
contains
  function area(r) result(a)
    real :: r, a
    a = r * r
  end function area

  subroutine show(x)
    real :: x
    print *, x
  end subroutine show
end module geo

program main
  use geo
  print *, area(1.0)
end program main
""",
        {"geo": "module", "geo.point": "struct", "geo.area": "function", "geo.show": "function", "main": "module"},
    ),
    Case(
        "go",
        "a.go",
        """\
package geo

import "fmt"

const Pi = 3

var names = []string{"a"}

// Circle is round.
type Circle struct {
\tR int
}

type Shape interface {
\tArea() int
}

// Area of it.
func (c *Circle) Area() int {
\treturn c.R * c.R
}

func (l List[T]) Push(x T) {
\tl.add(x)
}

func New(r int) *Circle {
\treturn &Circle{r}
}
""",
        {
            "Pi": "constant",
            "names": "variable",
            "Circle": "struct",
            "Shape": "interface",
            "Circle.Area": "method",
            "List.Push": "method",
            "New": "function",
        },
    ),
    Case(
        "haskell",
        "a.hs",
        """\
module Geo where

import Data.List

data Shape = Circle Int | Square Int
  deriving Show

newtype Wrap a = Wrap a
type Name = String

class HasArea a where
  area :: a -> Int
  area _ = 0

instance HasArea Shape where
  area (Circle r) = r * r
  area (Square s) = s * s

-- | adds
add :: Int -> Int -> Int
add 0 b = b
add a b = a + b
""",
        {
            "Shape": "type",
            "Wrap": "type",
            "Name": "type",
            "HasArea": "interface",
            "HasArea.area": "method",
            "HasArea Shape": "impl",
            "HasArea Shape.area": "method",
            "add": "function",
        },
    ),
    Case(
        "java",
        "A.java",
        """\
package geo;

import java.util.List;

/** Doc. */
@Deprecated
public class Circle extends Shape {
    private int r;

    public Circle(int r) {
        this.r = r;
    }

    @Override
    public int area() {
        return r * r;
    }

    enum Color { RED }

    static class Inner {
        void go() {
            x();
        }
    }
}

interface Shape2 { int area(); }
record P(int x) {}
@interface Marker {}
""",
        {
            "Circle": "class",
            "Circle.r": "variable",
            "Circle.Circle": "method",
            "Circle.area": "method",
            "Circle.Color": "enum",
            "Circle.Inner": "class",
            "Circle.Inner.go": "method",
            "Shape2": "interface",
            "P": "class",
            "Marker": "interface",
        },
    ),
    Case(
        "kotlin",
        "a.kt",
        """\
package geo

interface Shape {
    fun area(): Int
}

class Circle(val r: Int) : Shape {
    override fun area(): Int {
        return r * r
    }

    companion object {
        fun of(r: Int): Circle {
            return Circle(r)
        }
    }
}

object Single {
    val x = 1
}

enum class Color { RED }
typealias Name = String

fun String.twice(): String {
    return this + this
}

val limit = 10
""",
        {
            "Shape": "interface",
            "Shape.area": "method",
            "Circle": "class",
            "Circle.area": "method",
            "Circle.of": "method",
            "Single": "class",
            "Single.x": "variable",
            "Color": "enum",
            "Name": "type",
            "twice": "function",
            "limit": "variable",
        },
    ),
    Case(
        "objc",
        "a.m",
        """\
#import <Foundation/Foundation.h>

@protocol Shape
- (int)area;
@end

@interface Circle : NSObject <Shape>
@property int r;
- (instancetype)initWithRadius:(int)r;
@end

@implementation Circle
- (int)area {
    return 1;
}
- (void)setX:(int)x andY:(int)y {
    _x = x;
}
+ (Circle *)make {
    return nil;
}
@end

int add(int a, int b) {
    return a + b;
}
""",
        {
            "Shape": "interface",
            "Shape.area": "method",
            "Circle": "class",
            "Circle.r": "variable",
            "Circle.initWithRadius": "method",
            "Circle.area": "method",
            "Circle.setX": "method",
            "Circle.make": "method",
            "add": "function",
        },
    ),
    Case(
        "ocaml",
        "a.ml",
        """\
open List

type shape = Circle of int | Square of int

let limit = 10

(** adds *)
let add a b =
  a + b

let rec fact n =
  if n = 0 then 1
  else n * fact (n - 1)

module Geo = struct
  let area x =
    x * x
end

module type S = sig
  val x : int
end

class point = object
  method x = 1
end

exception Bad of string
""",
        {
            "shape": "type",
            "limit": "variable",
            "add": "function",
            "fact": "function",
            "Geo": "module",
            "Geo.area": "function",
            "S": "interface",
            "S.x": "variable",
            "point": "class",
            "point.x": "method",
            "Bad": "type",
        },
    ),
    Case(
        "rust",
        "a.rs",
        """\
use std::fmt;

const LIMIT: u32 = 10;
static NAME: &str = "x";

/// Round.
#[derive(Debug)]
pub struct Circle {
    r: u32,
}

pub enum Color { Red }

pub trait Shape {
    fn area(&self) -> u32;
    fn twice(&self) -> u32 {
        2
    }
}

impl Shape for Circle {
    fn area(&self) -> u32 {
        self.r
    }
}

impl<T> List<T> {
    pub fn push(&mut self, x: T) {
        self.v.push(x)
    }
}

mod tests {
    #[test]
    fn works() {
        assert!(true);
    }
}

macro_rules! hi {
    () => {};
}

type Name = String;
union U { a: u32 }

pub async fn add(a: u32, b: u32) -> u32 {
    a + b
}
""",
        {
            "LIMIT": "constant",
            "NAME": "constant",
            "Circle": "impl",
            "Color": "enum",
            "Shape": "trait",
            "Shape.area": "method",
            "Shape.twice": "method",
            "Circle.area": "method",
            "List": "impl",
            "List.push": "method",
            "tests": "module",
            "tests.works": "function",
            "hi": "macro",
            "Name": "type",
            "U": "struct",
            "add": "function",
        },
    ),
    Case(
        "scala",
        "a.scala",
        """\
package geo

import x.y

trait Shape {
  def area: Int
}

case class Circle(r: Int) extends Shape {
  def area: Int = {
    r * r
  }
}

object Main {
  val limit = 10
  def main(args: Array[String]): Unit = {
    println("x")
  }
}

enum Color { case Red }
type Name = String
""",
        {
            "Shape": "trait",
            "Shape.area": "method",
            "Circle": "class",
            "Circle.area": "method",
            "Main": "class",
            "Main.limit": "variable",
            "Main.main": "method",
            "Color": "enum",
            "Name": "type",
        },
    ),
    Case(
        "solidity",
        "a.sol",
        """\
pragma solidity ^0.8.0;

interface IToken {
    function total() external view returns (uint);
}

contract Token is IToken {
    uint public supply;
    event Sent(address a);
    struct P { uint x; }

    constructor(uint s) {
        supply = s;
    }

    modifier only() {
        _;
    }

    function total() external view returns (uint) {
        return supply;
    }
}

library Math {
    function add(uint a, uint b) internal pure returns (uint) {
        return a + b;
    }
}
""",
        {
            "IToken": "interface",
            "IToken.total": "method",
            "Token": "class",
            "Token.supply": "variable",
            "Token.Sent": "variable",
            "Token.P": "struct",
            "Token.constructor": "method",
            "Token.only": "method",
            "Token.total": "method",
            "Math": "class",
            "Math.add": "method",
        },
    ),
    Case(
        "swift",
        "a.swift",
        """\
import Foundation

protocol Shape {
    func area() -> Int
}

class Circle: Shape {
    var r = 1

    init(r: Int) {
        self.r = r
    }

    func area() -> Int {
        return r * r
    }
}

struct P {
    let x: Int
}

enum Color {
    case red
}

extension String {
    func twice() -> String {
        return self + self
    }
}

typealias Name = String

func add(_ a: Int, b: Int) -> Int {
    return a + b
}

let limit = 10
""",
        {
            "Shape": "interface",
            "Shape.area": "method",
            "Circle": "class",
            "Circle.r": "variable",
            "Circle.init": "method",
            "Circle.area": "method",
            "P": "struct",
            "P.x": "variable",
            "Color": "enum",
            "String": "impl",
            "String.twice": "method",
            "Name": "type",
            "add": "function",
            "limit": "variable",
        },
    ),
    Case(
        "wat",
        "a.wat",
        """\
(module
  (func $add (param $a i32) (param $b i32) (result i32)
    local.get $a
    local.get $b
    i32.add)
  (global $g i32 (i32.const 1))
  (export "add" (func $add))
)
""",
        {"add": "function", "g": "variable"},
    ),
    Case(
        "zig",
        "a.zig",
        """\
const std = @import("std");

pub const Circle = struct {
    r: u32,

    pub fn area(self: Circle) u32 {
        return self.r;
    }
};

const Color = enum { red };

pub fn add(a: u32, b: u32) u32 {
    return a + b;
}

test "adds" {
    try std.testing.expect(true);
}
""",
        {
            "std": "variable",
            "Circle": "struct",
            "Circle.area": "method",
            "Color": "enum",
            "add": "function",
            "adds": "function",
        },
    ),
]
