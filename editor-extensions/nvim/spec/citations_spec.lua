local citations = require("lucastra.chat.citations")

--- The numbers of each citation in a line.
local function found(...)
  return vim.tbl_map(function(span)
    return vim.tbl_map(function(one)
      return one.number
    end, span.numbers)
  end, citations.find({ ... }))
end

describe("citations", function()
  it("are numbers, lists and ranges in brackets", function()
    assert.same({ { 1 } }, found("It waits [1]."))
    assert.same({ { 1, 2 } }, found("It waits [1, 2]."))
    assert.same({ { 1, 2, 3 }, { 5 } }, found("It waits [1-3] and stops [5]."))
  end)

  it("are no links, tasks or words in brackets", function()
    assert.same({}, found("[1](https://example.org) [x] [ ] [see 1] [1 2] []"))
  end)

  it("do not stand in code", function()
    assert.same({ { 2 } }, found("`items[1]` is the first [2]"))
    assert.same({ { 2 } }, found("``a ` [1]`` then [2]"))
    assert.same({ { 3 } }, found("```python", "items[1]", "```", "as in [3]"))
    assert.same({}, found("~~~", "items[1]", "```", "items[2]"))
  end)

  it("are found from the cursor", function()
    local line = "Waits [12, 3] here"
    local spans = citations.find({ line, "Twice [1] and [2]" })
    assert.equal(12, citations.at(spans, 1, line:find("1", 1, true)))
    assert.equal(3, citations.at(spans, 1, line:find("3", 1, true)))
    assert.equal(12, citations.at(spans, 1, 1))
    assert.is_nil(citations.at(spans, 2, 1))
    assert.is_nil(citations.at(spans, 3, 1))
  end)

  it("in an endless range end", function()
    assert.equal(100, #citations.find({ "[1-999999999]" })[1].numbers)
  end)
end)
