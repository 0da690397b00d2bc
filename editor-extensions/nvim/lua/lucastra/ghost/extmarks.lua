--- Ghost text for Neovim 0.11: asked for while the user types, drawn as virtual text.
---
--- Invariant: what is drawn is what would be inserted. An answer that comes after the buffer or the cursor has moved on
--- is dropped; typing what is offered keeps it, and asks for nothing.
local config = require("lucastra.config")
local report = require("lucastra.ghost.report")
local text = require("lucastra.ghost.text")

local M = {}

local api = vim.api
local drawn = api.nvim_create_namespace("lucastra.ghost")
local INVOKED, AUTOMATIC = 1, 2

---@class lucastra.OfferedItem
---@field text string
---@field replaced integer Bytes after the cursor that it stands for.
---@field id? string What the daemon knows it by.

---@class lucastra.Offer
---@field bufnr integer
---@field items lucastra.OfferedItem[]
---@field index integer
---@field row integer 0-based place where the items begin.
---@field column integer
---@field suffix string What stood after the cursor.

local offer ---@type lucastra.Offer?
local asked ---@type { client: vim.lsp.Client, id: integer }?
local timer ---@type uv.uv_timer_t?

---@return integer row
---@return integer column
local function cursor()
  local row, column = unpack(api.nvim_win_get_cursor(0))
  return row - 1, column
end

--- What of the current item is still to be written at the cursor; nil where it fits no more.
---@return string?
local function left_to_write()
  if not offer or offer.bufnr ~= api.nvim_get_current_buf() then
    return
  end
  local row, column = cursor()
  local line = api.nvim_get_current_line()
  if row ~= offer.row or column < offer.column or line:sub(column + 1) ~= offer.suffix then
    return
  end
  local rest = text.remaining(offer.items[offer.index].text, line:sub(offer.column + 1, column))
  return rest ~= "" and rest or nil
end

local function erase()
  if offer and api.nvim_buf_is_valid(offer.bufnr) then
    api.nvim_buf_clear_namespace(offer.bufnr, drawn, 0, -1)
  end
end

local function withdraw()
  erase()
  offer = nil
end

---@param rest string
local function draw(rest)
  erase()
  report.shown(assert(offer).items[offer.index].id)
  local row, column = cursor()
  local first, below = text.drawn(rest, vim.bo.tabstop)
  api.nvim_buf_set_extmark(0, drawn, row, column, {
    virt_text = { { first, "LucastraGhost" } },
    virt_text_pos = "inline",
    virt_lines = vim.tbl_map(function(line)
      return { { line, "LucastraGhost" } }
    end, below),
    hl_mode = "combine",
  })
end

local function stop_asking()
  if timer then
    timer:stop()
  end
  if asked then
    asked.client:cancel_request(asked.id)
    asked = nil
  end
end

---@param client vim.lsp.Client
---@param result? lsp.InlineCompletionList|lsp.InlineCompletionItem[]
---@return lucastra.OfferedItem[]
local function usable_items(client, result)
  local row, column = cursor()
  local line = api.nvim_get_current_line()
  local items = {}
  for _, item in ipairs(result and (result.items or result) or {}) do
    local range = item.range
    local start, stop = column, column
    if range then
      start = vim.str_byteindex(line, client.offset_encoding, range.start.character, false)
      stop = vim.str_byteindex(line, client.offset_encoding, range["end"].character, false)
    end
    local on_line = not range or (range.start.line == row and range["end"].line == row)
    local rest = on_line and stop >= column and text.remaining(item.insertText, line:sub(start + 1, column))
    if rest and rest ~= "" then
      items[#items + 1] = { text = rest, replaced = stop - column, id = report.id_of(item.command) }
    end
  end
  return items
end

---@param trigger integer
local function ask(trigger)
  local bufnr = api.nvim_get_current_buf()
  local client = vim.lsp.get_clients({ bufnr = bufnr, name = "lucastra" })[1]
  if not client or not client.initialized then
    return
  end
  stop_asking()
  local tick, row, column = api.nvim_buf_get_changedtick(bufnr), cursor()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding) --[[@as lsp.InlineCompletionParams]]
  params.context = { triggerKind = trigger }
  local _, id = client:request("textDocument/inlineCompletion", params, function(problem, result)
    asked = nil
    local now_row, now_column = cursor()
    local moved = bufnr ~= api.nvim_get_current_buf() or row ~= now_row or column ~= now_column
    if problem or moved or tick ~= api.nvim_buf_get_changedtick(bufnr) or not M.may_show() then
      return
    end
    local items = usable_items(client, result)
    if #items > 0 then
      local suffix = api.nvim_get_current_line():sub(column + 1)
      offer = { bufnr = bufnr, items = items, index = 1, row = row, column = column, suffix = suffix }
      draw(items[1].text)
    end
  end, bufnr) -- the real number: with 0, changes that wait are not sent first
  asked = id and { client = client, id = id } or nil
end

--- Whether ghost text has its place now: the popup menu's own choice is not written over.
---@return boolean
function M.may_show()
  return api.nvim_get_mode().mode:sub(1, 1) == "i" and vim.fn.pumvisible() == 0
end

--- After a key press or a move: keep what fits, withdraw what does not, and ask anew where text was typed.
---@param typed boolean
local function follow(typed)
  local rest = left_to_write()
  if rest then
    draw(rest)
    return
  end
  withdraw()
  if typed then
    stop_asking()
    timer = timer or assert(vim.uv.new_timer())
    local function due()
      if M.may_show() then
        ask(AUTOMATIC)
      end
    end
    timer:start(config.get().completion.debounce_ms, 0, vim.schedule_wrap(due))
  end
end

--- Offer completions in a buffer.
---@param bufnr integer
---@param group integer
function M.attach(bufnr, group)
  api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = group, buffer = bufnr, callback = callback })
  end
  on({ "TextChangedI", "TextChangedP" }, function()
    follow(true)
  end)
  on("CursorMovedI", function()
    follow(false)
  end)
  on({ "InsertLeave", "BufLeave" }, M.dismiss)
end

---@param bufnr integer
---@param group integer
function M.detach(bufnr, group)
  api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  M.dismiss()
end

---@return boolean
function M.is_shown()
  return left_to_write() ~= nil
end

--- Write what `part` takes of the offer at the cursor. Raises E565 within an `expr` mapping.
---@param rest string
---@param part fun(rest: string): string
local function write(rest, part)
  local taken, current = part(rest), assert(offer)
  local item = current.items[current.index]
  local whole = #taken == #rest
  local row, column = cursor()
  vim.cmd("let &g:undolevels = &g:undolevels") -- one undo takes back the completion, and not what was typed before
  local stop = column + (whole and item.replaced or 0)
  api.nvim_buf_set_text(0, row, column, row, stop, vim.split(taken, "\n", { plain = true }))
  withdraw()
  report.accepted(item.id, not whole)
  row, column = text.position_after(row, column, taken)
  api.nvim_win_set_cursor(0, { row + 1, column })
  if not whole then
    local left = { text = rest:sub(#taken + 1), replaced = item.replaced, id = item.id }
    local suffix = api.nvim_get_current_line():sub(column + 1)
    offer = { bufnr = current.bufnr, items = { left }, index = 1, row = row, column = column, suffix = suffix }
    draw(left.text)
  end
end

--- Write the offer, or what `part` takes of it; whether there was one. Within an `expr` mapping it is written when
--- that has ended.
---@param part fun(rest: string): string
---@return boolean
function M.accept(part)
  local rest = left_to_write()
  if not rest then
    return false
  end
  local ok, problem = pcall(write, rest, part)
  if not ok and not tostring(problem):find("E565", 1, true) then
    error(problem, 0)
  elseif not ok then
    vim.schedule(function()
      if left_to_write() == rest then
        write(rest, part)
      end
    end)
  end
  return true
end

--- Show the next offer; where there is but one, ask for another.
function M.next()
  if offer and #offer.items > 1 and left_to_write() then
    offer.index = offer.index % #offer.items + 1
    local rest = left_to_write()
    if rest then
      draw(rest)
    else
      M.next()
    end
    return
  end
  withdraw()
  ask(INVOKED)
end

function M.dismiss()
  stop_asking()
  withdraw()
end

return M
