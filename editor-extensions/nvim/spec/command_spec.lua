local command = require("lucastra.command")

local function completed(line)
  return command.complete(line:match("%S*$"), line, #line)
end

describe(":Lucastra", function()
  it("completes its subcommands, their actions and options", function()
    assert.same({ "search", "status" }, completed("Lucastra s"))
    assert.same({ "retry" }, completed("Lucastra chat ret"))
    assert.same({ "rename", "retry" }, completed("'<,'>Lucastra chat re"))
    assert.same({ "--mode=keyword" }, completed("Lucastra search cache --mode=k"))
    assert.same({ "--limit=" }, completed("Lucastra! related --li"))
    assert.same({ "--lang=haskell" }, completed("Lucastra search --lang=haskel"))
    assert.same({}, completed("Lucastra ask wh"))
  end)

  it("takes options off a query", function()
    local words = { "--mode=keyword", "where", "is", "--lang=lua", "it", "--path=src/", "--limit=5", "--all" }
    local query, options = command.search_options(words)
    assert.equal("where is it", query)
    local expected = { mode = "keyword", languages = { "lua" }, paths = { "src/" }, limit = 5, everywhere = true }
    assert.same(expected, options)
  end)

  it("leaves words alone that only look like options", function()
    assert.equal("--help of -x", (command.search_options({ "--help", "of", "-x" })))
  end)

  it("names an option's mistake", function()
    assert.truthy(select(3, command.search_options({ "--mode=best" })):find("hybrid", 1, true))
    assert.truthy(select(3, command.search_options({ "--limit=1000" })):find("1 to 100", 1, true))
  end)
end)
