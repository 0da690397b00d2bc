--- The buffer of a chat: a transcript, and below its last heading the question that is being written.
---
--- Invariant: while it is locked, only the methods of `Page` change the buffer.
local citations = require("lucastra.chat.citations")
local transcript = require("lucastra.chat.transcript")

local M = {}

local api = vim.api
local marks = api.nvim_create_namespace("lucastra.chat")
local links = api.nvim_create_namespace("lucastra.chat.citations")

---@class lucastra.Page
---@field bufnr integer
---@field private prompt integer Extmark of the heading above the question.
---@field private answers { mark: integer, places: table<integer, lucastra.Place> }[]
local Page = {}
Page.__index = Page

---@param bufnr integer
---@return lucastra.Page
function M.new(bufnr)
  local self = setmetatable({ bufnr = bufnr, answers = {} }, Page)
  self:clear()
  return self
end

---@param start integer
---@param stop integer
---@param lines string[]
function Page:_set(start, stop, lines)
  local locked = not vim.bo[self.bufnr].modifiable
  local undo_levels = vim.bo[self.bufnr].undolevels
  vim.bo[self.bufnr].modifiable = true
  vim.bo[self.bufnr].undolevels = -1 -- undo stops at the prompt, and keeps no copy of what streams in
  api.nvim_buf_set_lines(self.bufnr, start, stop, false, lines)
  vim.bo[self.bufnr].undolevels = undo_levels
  vim.bo[self.bufnr].modifiable = not locked
  vim.bo[self.bufnr].modified = false
end

--- Change the end of the buffer; windows that show it go along.
---@param change fun()
function Page:_at_end(change)
  local following = vim.tbl_filter(function(window)
    return api.nvim_win_get_cursor(window)[1] == api.nvim_buf_line_count(self.bufnr)
  end, vim.fn.win_findbuf(self.bufnr))
  change()
  for _, window in ipairs(following) do
    api.nvim_win_set_cursor(window, { api.nvim_buf_line_count(self.bufnr), 0 })
  end
end

function Page:clear()
  self.answers = {}
  api.nvim_buf_clear_namespace(self.bufnr, marks, 0, -1)
  api.nvim_buf_clear_namespace(self.bufnr, links, 0, -1)
  self:_set(0, -1, {})
  self:prompt_again()
end

---@param lines string[]
function Page:append_lines(lines)
  self:_at_end(function()
    local count = api.nvim_buf_line_count(self.bufnr)
    local empty = count == 1 and api.nvim_buf_get_lines(self.bufnr, 0, 1, true)[1] == ""
    self:_set(empty and 0 or count, -1, lines)
  end)
end

--- Text that goes on where the buffer ends.
---@param piece string
function Page:append_text(piece)
  self:_at_end(function()
    local last = api.nvim_buf_line_count(self.bufnr) - 1
    local lines = transcript.lines(piece)
    lines[1] = api.nvim_buf_get_lines(self.bufnr, last, last + 1, true)[1] .. lines[1]
    self:_set(last, -1, lines)
  end)
end

--- Begin an answer: its heading, at which its passages are remembered.
function Page:begin_answer()
  self:append_lines({ transcript.ANSWER, "", "" })
  local heading = api.nvim_buf_line_count(self.bufnr) - 3
  self.answers[#self.answers + 1] = { mark = api.nvim_buf_set_extmark(self.bufnr, marks, heading, 0, {}), places = {} }
end

--- The passages of the answer that is written now.
---@param places table<integer, lucastra.Place>
---@param notes string[]
function Page:passages(places, notes)
  self.answers[#self.answers].places = places
  local lines = transcript.passages(places, notes)
  lines[#lines + 1] = ""
  self:_at_end(function()
    self:_set(api.nvim_buf_line_count(self.bufnr) - 1, -1, lines)
  end)
  self:link_citations()
end

--- The turns of a conversation that was kept, in place of what the buffer holds.
---@param turns lucastra.Turn[]
function Page:past_turns(turns)
  self.answers = {}
  self:_set(0, -1, {})
  for _, turn in ipairs(turns) do
    local question, answer = transcript.turn(turn)
    self:append_lines(question)
    local heading = api.nvim_buf_line_count(self.bufnr)
    self:append_lines(answer)
    local mark = api.nvim_buf_set_extmark(self.bufnr, marks, heading, 0, {})
    self.answers[#self.answers + 1] = { mark = mark, places = transcript.places(turn.sources or {}) }
    self:link_citations()
  end
  self:prompt_again()
end

--- A heading and an empty line for the next question.
---@param draft? string[]
function Page:prompt_again(draft)
  local empty = api.nvim_buf_line_count(self.bufnr) == 1 and api.nvim_buf_get_lines(self.bufnr, 0, 1, true)[1] == ""
  local lines = vim.list_extend({ transcript.QUESTION, "" }, draft or { "" })
  local heading = empty and 0 or api.nvim_buf_line_count(self.bufnr)
  self:append_lines(lines)
  self.prompt = api.nvim_buf_set_extmark(self.bufnr, marks, heading, 0, {})
end

---@return integer 0-based line of the heading above the question.
function Page:prompt_row()
  return api.nvim_buf_get_extmark_by_id(self.bufnr, marks, self.prompt, {})[1]
end

--- The question as it is written so far.
---@return string
function Page:question()
  return vim.trim(table.concat(api.nvim_buf_get_lines(self.bufnr, self:prompt_row() + 1, -1, true), "\n"))
end

---@param lines string[]
function Page:set_question(lines)
  self:_set(self:prompt_row() + 1, -1, vim.list_extend({ "" }, lines))
end

--- The answer that a line belongs to: its lines, where they begin, and its passages.
---@param row integer 0-based.
---@return { first: integer, lines: string[], places: table<integer, lucastra.Place> }?
function Page:answer_at(row)
  for index = #self.answers, 1, -1 do
    local answer = self.answers[index]
    local first = api.nvim_buf_get_extmark_by_id(self.bufnr, marks, answer.mark, {})[1]
    if first and first <= row then
      local lines = api.nvim_buf_get_lines(self.bufnr, first, -1, true)
      return { first = first, lines = lines, places = answer.places }
    end
  end
end

--- The passage that is cited at a place of the buffer.
---@param row integer 0-based.
---@param column integer 0-based byte.
---@return lucastra.Place?
function Page:cited_at(row, column)
  local answer = self:answer_at(row)
  if not answer then
    return
  end
  local number = citations.at(citations.find(answer.lines), row - answer.first + 1, column + 1)
  return number and answer.places[number]
end

--- Make the citations of the last answer look like links.
function Page:link_citations()
  local answer = self:answer_at(api.nvim_buf_line_count(self.bufnr))
  if not answer then
    return
  end
  api.nvim_buf_clear_namespace(self.bufnr, links, answer.first, -1)
  for _, span in ipairs(citations.find(answer.lines)) do
    if answer.places[span.numbers[1].number] then
      local row = answer.first + span.line - 1
      local look = { end_col = span.last, hl_group = "LucastraCitation" }
      api.nvim_buf_set_extmark(self.bufnr, links, row, span.first - 1, look)
    end
  end
end

---@param locked boolean
function Page:lock(locked)
  vim.bo[self.bufnr].modifiable = not locked
end

return M
