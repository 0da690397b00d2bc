local ghost = require("lucastra.ghost")

describe("with Neovim's own inline completion", function()
  local real = vim.lsp.inline_completion
  local applied

  --- Stands for Neovim 0.12's module, with one offer.
  local function offer(item)
    vim.lsp.inline_completion = {
      get = function(options)
        applied = options.on_accept(item)
        return true
      end,
    }
  end

  before_each(function()
    vim.api.nvim_buf_set_lines(0, 0, -1, true, { "total = al" })
    vim.api.nvim_win_set_cursor(0, { 1, 9 })
  end)

  after_each(function()
    vim.lsp.inline_completion = real
  end)

  it("the whole offer is accepted as it is", function()
    offer({ insert_text = "alpha + beta" })
    assert.equal("native", ghost.engine())
    assert.is_true(ghost.accept())
    assert.equal("alpha + beta", applied.insert_text)
  end)

  it("the command that reports it is Neovim's to run, but not for a part of it", function()
    local command = { title = "accepted", command = "lucastra.completion.accepted", arguments = { { id = "c1" } } }
    offer({ insert_text = "alpha + beta", command = command })
    ghost.accept()
    assert.equal(command, applied.command)
    ghost.accept_word()
    assert.is_nil(applied.command)
  end)

  it("a word of it goes on from what was typed", function()
    offer({ insert_text = "alpha + beta", range = { start_col = 8 } })
    ghost.accept_word()
    assert.equal("alpha", applied.insert_text)
  end)
end)
