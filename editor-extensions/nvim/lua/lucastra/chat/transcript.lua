--- A conversation as the lines of a Markdown buffer. Pure: from messages to text.
local place = require("lucastra.place")

local M = {}

M.QUESTION = "## You"
M.ANSWER = "## LucAstra"

local FRESHNESS = {
  stale = "Some changes are not indexed yet.",
  pending = "Some passages have no embedding yet and were found by keyword only.",
}

---@param text string
---@return string[]
function M.lines(text)
  return vim.split(text:gsub("\r\n", "\n"), "\n", { plain = true })
end

--- The passages that an answer is written from, and what is to be said of them.
---@param places table<integer, lucastra.Place> By their numbers.
---@param notes string[]
---@return string[]
function M.passages(places, notes)
  local numbers = vim.tbl_keys(places)
  table.sort(numbers)
  local lines = {}
  for _, number in ipairs(numbers) do
    lines[#lines + 1] = ("- [%d] %s"):format(number, place.label(places[number]))
  end
  for _, note in ipairs(notes) do
    lines[#lines + 1] = "> " .. note:gsub("%s*\n%s*", " ")
  end
  if #lines > 0 then
    lines[#lines + 1] = ""
  end
  return lines
end

--- What is to be said of the passages themselves.
---@param event { freshness?: string, notices?: string[] }
---@return string[]
function M.notes(event)
  return vim.list_extend({ FRESHNESS[event.freshness] }, event.notices or {})
end

--- Passages by number, from the citations of an event or a result, or from the sources of a turn.
---@param cited (lucastra.Citation|lucastra.Source)[]
---@return table<integer, lucastra.Place>
function M.places(cited)
  local places = {}
  for _, one in ipairs(cited) do
    places[one.number] = place.from_wire(one.hit or one)
  end
  return places
end

--- The line below a finished answer: who answered, how it ended, what it took.
---@param turn lucastra.Turn
---@return string[]
function M.footer(turn)
  local parts = {}
  if turn.provider then
    parts[#parts + 1] = turn.model and ("%s/%s"):format(turn.provider, turn.model) or turn.provider
  end
  local usage = turn.usage or {}
  if usage.inputTokens and usage.outputTokens then
    parts[#parts + 1] = ("%d tokens in, %d out"):format(usage.inputTokens, usage.outputTokens)
  end
  if turn.finish == "length" then
    parts[#parts + 1] = "cut off at the longest answer (`llm.max_tokens`)"
  elseif turn.finish == "filtered" then
    parts[#parts + 1] = "cut off by the provider's filter"
  end
  if (turn.leftOut or 0) > 0 then
    parts[#parts + 1] = ("%d earlier turns had no room"):format(turn.leftOut)
  end
  return #parts > 0 and { "", "*" .. table.concat(parts, " · ") .. "*" } or {}
end

--- Why an answer is not whole.
---@param problem string
---@return string[]
function M.broken_off(problem)
  return { "", "> **Broken off:** " .. problem:gsub("%s*\n%s*", " ") }
end

--- A turn of an earlier day, without its passages' texts.
---@param turn lucastra.Turn
---@return string[] question
---@return string[] answer From its heading on.
function M.turn(turn)
  local question = vim.list_extend({ M.QUESTION, "" }, M.lines(turn.question))
  question[#question + 1] = ""
  local answer = vim.list_extend({ M.ANSWER, "" }, M.passages(M.places(turn.sources or {}), {}))
  vim.list_extend(answer, M.lines(turn.answer or ""))
  if turn.state == "partial" then
    vim.list_extend(answer, M.broken_off(turn.problem ~= "" and turn.problem or "it was stopped"))
  elseif turn.state == "running" then
    vim.list_extend(answer, { "", "> It is still being written; open the conversation again to see more." })
  else
    vim.list_extend(answer, M.footer(turn))
  end
  answer[#answer + 1] = ""
  return question, answer
end

--- Code that a question is about, as Markdown.
---@param path string
---@param first integer 1-based line.
---@param last integer
---@param filetype string
---@param code string[]
---@return string[]
function M.quoted_code(path, first, last, filetype, code)
  local fence = "```"
  for _, line in ipairs(code) do
    local run = line:match("^%s*(`+)")
    if run and #run >= #fence then
      fence = run .. "`"
    end
  end
  local lines = { ("`%s:%d-%d`:"):format(path, first, last), "", fence .. filetype }
  vim.list_extend(lines, code)
  return vim.list_extend(lines, { fence, "" })
end

return M
