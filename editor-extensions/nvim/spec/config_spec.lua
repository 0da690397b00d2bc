local config = require("lucastra.config")

describe("settings", function()
  after_each(function()
    vim.g.lucastra = nil
    config.setup(nil)
  end)

  it("are the defaults where nothing is set", function()
    assert.same({ "lucastrad", "--stdio" }, config.get().cmd)
    assert.same({}, config.problems())
  end)

  it("come from a table, a function or setup", function()
    vim.g.lucastra = { search = { limit = 5 } }
    assert.equal(5, config.get().search.limit)
    assert.equal("hybrid", config.get().search.mode)
    vim.g.lucastra = function()
      return { search = { limit = 6 } }
    end
    assert.equal(6, config.get().search.limit)
    config.setup({ search = { limit = 7 } })
    assert.equal(7, config.get().search.limit)
  end)

  it("replace lists as a whole", function()
    vim.g.lucastra = { cmd = { "/opt/lucastrad" } }
    assert.same({ "/opt/lucastrad" }, config.get().cmd)
  end)

  it("that cannot be meant are named, and the default stays", function()
    vim.g.lucastra = { serach = {}, search = { limit = "ten", mode = "magic" }, chat = { keys = { send = false } } }
    local problems = table.concat(config.problems(), "\n")
    assert.truthy(problems:find("no setting `serach`", 1, true))
    assert.truthy(problems:find("`search.limit` must be a number", 1, true))
    assert.truthy(problems:find("one of hybrid, keyword, vector", 1, true))
    assert.equal(3, #config.problems())
    assert.equal(30, config.get().search.limit)
    assert.is_false(config.get().chat.keys.send)
  end)

  it("decide which filetypes are completed", function()
    vim.g.lucastra = { completion = { filetypes = { markdown = false } } }
    assert.is_false(config.completes("markdown"))
    assert.is_true(config.completes("lua"))
  end)
end)
