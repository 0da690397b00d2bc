local client = require("lucastra.client")
local config = require("lucastra.config")
local daemon = require("lucastra.daemon")

describe("progress", function()
  local real = vim.lsp.handlers["$/progress"]
  local passed

  before_each(function()
    passed = {}
    vim.lsp.handlers["$/progress"] = function(_, params)
      table.insert(passed, params.token)
    end
  end)

  after_each(function()
    vim.lsp.handlers["$/progress"] = real
  end)

  it("of an answer whose request has ended is dropped, and all other is Neovim's", function()
    local on_progress = client.lsp_config().handlers["$/progress"]
    for _, token in ipairs({ "lucastra-7", "lucastra-index-8", 9, "another" }) do
      on_progress(nil, { token = token, value = { kind = "delta", text = "late" } }, { client_id = 1 })
    end
    assert.same({ "lucastra-index-8", 9, "another" }, passed)
  end)
end)

describe("a daemon's process", function()
  local home, process

  local function own(pid)
    vim.fn.writefile({ tostring(pid) }, home .. "/lucastrad.lock")
  end

  local function finish()
    local done = false
    daemon.finish(process.pid, function()
      done = true
    end)
    assert.is_true(vim.wait(2000, function()
      return done
    end))
  end

  before_each(function()
    home = vim.fn.tempname()
    vim.fn.mkdir(home, "p")
    config.setup({ env = { LUCASTRA_HOME = home } })
    vim.fn.writefile({ "read line" }, home .. "/lucastrad")
    process = vim.system({ "/bin/sh", home .. "/lucastrad", "serve" }, { stdin = true })
  end)

  after_each(function()
    process:kill("sigkill")
    process:wait()
    config.setup({})
    vim.fn.delete(home, "rf")
  end)

  it("is ended while it owns the store", function()
    own(process.pid)
    assert.equal(process.pid, daemon.process())
    finish()
    assert.equal(15, process:wait(1000).signal)
  end)

  it("is left alone once the lock names it no more", function()
    own(process.pid + 1)
    finish()
    assert.is_false(process:is_closing())
  end)
end)
