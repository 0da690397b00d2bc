"""Documentation is found in every language's own form, and never stays in the code that it describes."""

import pytest

from lucastrad.indexing.chunking.documented import documented, first_sentence

PYTHON = '''
@cached
def load(path):
    """Read the settings. They may be missing.

    :param path: where
    """
    return read(path)


class Basket:
    "Holds items."

    def total(self):
        """Sum of the prices."""
        return sum(self.items)

    def clear(self):
        self.items = []
'''
JAVASCRIPT = """
(function () {
  /**
   * Splits `list` into {@link Group groups}.
   *
   * @param {Array} list
   */
  function chunk(list) {
    return list;
  }
})();
/** Adds a route. */
exports.route = function (path) {
  return path;
};
"""
GO = """
// Area is the surface.
// It is cached.
func (c *Circle) Area() float64 {
	return c.area
}

// A remark that belongs to nothing.

func plain() {
	return
}
"""
RUST = """
impl<T> List<T> {
    /// Adds `x` at the end.
    #[inline]
    pub fn push(&mut self, x: T) {
        self.items.push(x)
    }
}
"""
JAVA = """
/** A <b>shape</b>. */
public class Shape {
  /**
   * Gives the {@code area}.
   * @return square metres
   */
  @Override
  public double area() {
    return 1;
  }
}
"""
C = """
/* Frees the loop. */
int loop_free(loop *l) {
  return 0;
}
"""
CPP = """
namespace geo {
/// \\brief Turns it.
///
/// By degrees.
template <class T>
void turn(T &shape) {
  shape.angle += 1;
}
}
"""
TYPESCRIPT = """
export interface Store {
  /** Reads a value. */
  get(key: string): string;
}
"""


def said(path: str, source: str) -> dict[str, str]:
    return {one.symbol: one.doc for one in documented(path, source)}


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        (
            "a.py",
            PYTHON,
            {
                "load": "Read the settings. They may be missing.\n\n:param path: where",
                "Basket": "Holds items.",
                "Basket.total": "Sum of the prices.",
            },
        ),
        ("a.js", JAVASCRIPT, {"chunk": "Splits `list` into Group groups.", "route": "Adds a route."}),
        ("a.go", GO, {"Circle.Area": "Area is the surface.\nIt is cached."}),
        ("a.rs", RUST, {"List.push": "Adds `x` at the end."}),
        ("A.java", JAVA, {"Shape": "A  shape .", "Shape.area": "Gives the area."}),
        ("a.c", C, {"loop_free": "Frees the loop."}),
        ("a.cpp", CPP, {"geo.turn": "Turns it.\n\nBy degrees."}),
        ("a.ts", TYPESCRIPT, {"Store.get": "Reads a value."}),
    ],
)
def test_each_language_s_documentation_is_found_and_cleaned(path: str, source: str, expected: dict[str, str]) -> None:
    assert said(path, source) == expected


@pytest.mark.parametrize(
    ("path", "source"), [("a.py", PYTHON), ("a.js", JAVASCRIPT), ("a.go", GO), ("a.rs", RUST), ("a.cpp", CPP)]
)
def test_the_code_is_without_its_own_documentation(path: str, source: str) -> None:
    for one in documented(path, source):
        assert first_sentence(one.doc) not in one.code
        assert one.symbol.rpartition(".")[2] in one.code


def test_decorators_and_attributes_stay_with_the_code() -> None:
    load = next(documented("a.py", PYTHON))
    assert (load.code, load.start_line) == ("@cached\ndef load(path):\n    return read(path)", 2)
    assert next(documented("a.rs", RUST)).code.lstrip().startswith("#[inline]")


def test_undocumented_definitions_come_only_when_asked_for() -> None:
    assert "Basket.clear" not in said("a.py", PYTHON)
    everything = {one.symbol: one.doc for one in documented("a.py", PYTHON, undocumented=True)}
    assert everything["Basket.clear"] == ""


@pytest.mark.parametrize(
    ("path", "source"), [("a.txt", "words"), ("a.py", ""), ("a.js", "x=1;" * 1000), ("a.py", "def f(:\n")]
)
def test_what_has_no_definitions_yields_nothing(path: str, source: str) -> None:
    assert list(documented(path, source)) == []


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("Do it. Then rest.", "Do it."),
        ("Uses e.g. a file. Then rest.", "Uses e.g. a file."),
        ("No stop\nover two lines\n\nnext", "No stop over two lines"),
        ("Version 1.2 of it", "Version 1.2 of it"),
    ],
)
def test_the_first_sentence_ends_where_the_next_begins(doc: str, expected: str) -> None:
    assert first_sentence(doc) == expected
