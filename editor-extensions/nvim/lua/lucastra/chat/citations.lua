--- Citations in an answer's Markdown: `[1]`, `[1, 2]` or `[1-3]`, outside code. Pure text.
local M = {}

---@class lucastra.CitationSpan
---@field line integer 1-based, of the lines given.
---@field first integer 1-based byte where the bracket opens.
---@field last integer Byte where it closes.
---@field numbers { number: integer, first: integer, last: integer }[]

--- The numbers within a bracket, each with the bytes that stand for it; nil where it holds anything else.
---@param inner string
---@param offset integer Byte of the line before `inner`.
---@return { number: integer, first: integer, last: integer }[]?
local function numbers_in(inner, offset)
  local numbers = {}
  local at = 1
  while at <= #inner do
    local start, stop, low, high, separator = inner:find("^%s*(%d+)%s*%-?%s*(%d*)%s*(,?)", at)
    if not start or (separator == "" and stop < #inner) then
      return
    end
    local text = inner:sub(start, stop)
    local from, to = assert(tonumber(low)), tonumber(high)
    if to and not text:find("-", 1, true) then
      return
    end
    for number = from, math.min(to or from, from + 99) do
      numbers[#numbers + 1] = { number = number, first = offset + start, last = offset + stop }
    end
    at = stop + 1
  end
  return #numbers > 0 and numbers or nil
end

--- A line with its code spans blanked, byte for byte.
---@param line string
---@return string
local function without_code(line)
  local result = line
  local at = 1
  while true do
    local start, stop = result:find("`+", at)
    if not start then
      return result
    end
    local close_start, close_stop = result:find("`+", stop + 1)
    while close_start and close_stop - close_start ~= stop - start do
      close_start, close_stop = result:find("`+", close_stop + 1)
    end
    if close_start then
      result = result:sub(1, start - 1) .. (" "):rep(close_stop - start + 1) .. result:sub(close_stop + 1)
      at = close_stop + 1
    else
      at = stop + 1
    end
  end
end

--- Every citation of some Markdown.
---@param lines string[]
---@return lucastra.CitationSpan[]
function M.find(lines)
  local spans = {}
  local fence ---@type string?
  for index, line in ipairs(lines) do
    local mark = line:match("^%s*(```+)") or line:match("^%s*(~~~+)")
    if mark and not fence then
      fence = mark
    elseif mark and mark:sub(1, #fence) == fence and line:match("^%s*[`~]+%s*$") then
      fence = nil
    elseif not fence then
      for first, inner, last in without_code(line):gmatch("()%[([%d%s,%-]+)%]()") do
        local numbers = numbers_in(inner, first)
        if numbers and line:sub(last, last) ~= "(" then
          spans[#spans + 1] = { line = index, first = first, last = last - 1, numbers = numbers }
        end
      end
    end
  end
  return spans
end

--- The number that is cited at a place: that under the cursor, the bracket's first beside it, and the only one of a
--- line that has but one.
---@param spans lucastra.CitationSpan[]
---@param line integer 1-based.
---@param column integer 1-based byte.
---@return integer?
function M.at(spans, line, column)
  local on_line = vim.tbl_filter(function(span)
    return span.line == line
  end, spans)
  for _, span in ipairs(on_line) do
    if span.first <= column and column <= span.last then
      for _, one in ipairs(span.numbers) do
        if one.first <= column and column <= one.last then
          return one.number
        end
      end
      return span.numbers[1].number
    end
  end
  return #on_line == 1 and on_line[1].numbers[1].number or nil
end

return M
