--- Inline completion: Neovim's own where it has one, else drawn by the plugin.
local config = require("lucastra.config")
local text = require("lucastra.ghost.text")

local M = {}

local group = vim.api.nvim_create_augroup("lucastra.ghost", { clear = false })

--- Which of the two draws ghost text here.
---@return "native"|"extmarks"
function M.engine()
  return vim.lsp.inline_completion and "native" or "extmarks"
end

local function engine()
  return require("lucastra.ghost." .. M.engine())
end

--- Whether completions are wanted in a buffer: what was chosen for it, else what the settings say of its filetype.
---@param bufnr integer
---@return boolean
function M.is_wanted(bufnr)
  local chosen = vim.b[bufnr].lucastra_completion
  if chosen ~= nil then
    return chosen
  end
  return config.completes(vim.bo[bufnr].filetype)
end

--- Offer completions in a buffer that the client has attached to, if they are wanted there.
---@param bufnr integer
function M.attach(bufnr)
  if M.is_wanted(bufnr) then
    engine().attach(bufnr, group)
  end
end

--- Turn completions of a buffer on or off, whatever its filetype; without `wanted`, the other way round.
---@param wanted? boolean
---@param bufnr? integer
---@return boolean on
function M.toggle(wanted, bufnr)
  bufnr = bufnr or vim.api.nvim_get_current_buf()
  if wanted == nil then
    wanted = not M.is_wanted(bufnr)
  end
  vim.b[bufnr].lucastra_completion = wanted
  if wanted then
    engine().attach(bufnr, group)
  else
    engine().detach(bufnr, group)
  end
  return wanted
end

--- Write what is offered; whether anything was. Fit for `expr` mappings.
---@return boolean
function M.accept()
  return engine().accept(function(rest)
    return rest
  end)
end

--- Write the next word of what is offered; whether anything was.
---@return boolean
function M.accept_word()
  return engine().accept(text.first_word)
end

--- Show another completion, or ask for one.
function M.next()
  engine().next()
end

--- Withdraw what is offered.
function M.dismiss()
  engine().dismiss()
end

return M
