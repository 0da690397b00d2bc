--- Ghost text by Neovim's own `vim.lsp.inline_completion`, which 0.12 has.
local report = require("lucastra.ghost.report")
local text = require("lucastra.ghost.text")

local M = {}

---@param bufnr integer
function M.attach(bufnr)
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
end

---@param bufnr integer
function M.detach(bufnr)
  vim.lsp.inline_completion.enable(false, { bufnr = bufnr })
end

--- What the user has typed of an item since it was offered.
---@param item vim.lsp.inline_completion.Item
---@param offered string
---@return string
local function typed_of(item, offered)
  if not item.range then
    return ""
  end
  local range = item.range
  local column = range.start_col or range.start.col
  local typed = vim.api.nvim_get_current_line():sub(column + 1, vim.api.nvim_win_get_cursor(0)[2])
  return text.remaining(offered, typed) and typed or ""
end

--- Write the offer, or what `part` takes of it; whether there was one.
---@param part fun(rest: string): string
---@return boolean
function M.accept(part)
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local offered = type(item.insert_text) == "string" and item.insert_text or item.insert_text.value
      local typed = typed_of(item, offered)
      local taken = part(offered:sub(#typed + 1))
      if #typed + #taken < #offered then
        item.insert_text = typed .. taken
        -- Neovim would run it, which says that all of the item was taken.
        report.accepted(report.id_of(item.command), true)
        item.command = nil
      end
      return item
    end,
  })
end

function M.next()
  vim.lsp.inline_completion.select({ count = 1 })
end

--- Neovim has no call for this; turning it off and on again withdraws what is shown.
function M.dismiss()
  local bufnr = vim.api.nvim_get_current_buf()
  if vim.lsp.inline_completion.is_enabled({ bufnr = bufnr }) then
    M.detach(bufnr)
    M.attach(bufnr)
  end
end

return M
