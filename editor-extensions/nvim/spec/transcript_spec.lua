local place = require("lucastra.place")
local transcript = require("lucastra.chat.transcript")

local function source(number, first, stop, symbol)
  return {
    number = number,
    uri = "file:///src/shop/retry.py",
    path = "shop/retry.py",
    workspace = "/src",
    range = { start = { line = first, character = 0 }, ["end"] = { line = stop, character = 0 } },
    symbol = symbol,
  }
end

describe("a place", function()
  it("is shown by 1-based lines, both inclusive", function()
    assert.equal("shop/retry.py:4-11 retry", place.label(place.from_wire(source(1, 3, 11, "retry"))))
    assert.equal("shop/retry.py:4", place.label(place.from_wire(source(1, 3, 4))))
  end)

  it("is summed up by the first line that says something", function()
    assert.equal("def f():", place.summary({ text = "\n\n  def f():\n    pass" }))
  end)
end)

describe("a turn that was kept", function()
  local turn = {
    number = 1,
    question = "How does it wait?",
    answer = "Twice as long [1].",
    sources = { source(1, 3, 11, "retry") },
    provider = "llm",
    model = "small",
    usage = { inputTokens = 25, outputTokens = 7 },
  }

  it("has its passages before its answer, and below who wrote it", function()
    local question, answer = transcript.turn(turn)
    assert.same({ "## You", "", "How does it wait?", "" }, question)
    local expected = {
      "## LucAstra",
      "",
      "- [1] shop/retry.py:4-11 retry",
      "",
      "Twice as long [1].",
      "",
      "*llm/small · 25 tokens in, 7 out*",
      "",
    }
    assert.same(expected, answer)
  end)

  it("says why it broke off", function()
    local broken = vim.tbl_extend("force", turn, { state = "partial", problem = "the provider\nwent away" })
    local _, answer = transcript.turn(broken)
    assert.equal("> **Broken off:** the provider went away", answer[#answer - 1])
  end)
end)

describe("quoted code", function()
  it("has a fence that the code cannot end", function()
    local lines = transcript.quoted_code("a.md", 1, 3, "markdown", { "```sh", "ls", "```" })
    assert.same({ "`a.md:1-3`:", "", "````markdown", "```sh", "ls", "```", "````", "" }, lines)
  end)
end)

describe("notes on passages", function()
  it("tell what is not searchable yet", function()
    assert.same({ "no provider" }, transcript.notes({ freshness = "fresh", notices = { "no provider" } }))
    assert.equal(1, #transcript.notes({ freshness = "stale" }))
  end)
end)
