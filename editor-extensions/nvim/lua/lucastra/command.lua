--- `:Lucastra`: its subcommands and their completion.
local message = require("lucastra.message")

local M = {}

---@class lucastra.Invocation
---@field words string[] What follows the subcommand, by words.
---@field rest string The same as it was written.
---@field bang boolean
---@field range? { first: integer, last: integer } 1-based lines, where a range was given.

---@class lucastra.Subcommand
---@field run fun(invocation: lucastra.Invocation)
---@field complete? fun(lead: string): string[]

local SEARCH_OPTIONS = { "--mode=", "--lang=", "--path=", "--limit=", "--all", "--quickfix" }
local MODES = { "--mode=hybrid", "--mode=keyword", "--mode=vector" }

--- Split `--name=value` words off the front and the back of what was written.
---@param words string[]
---@return string text What is left, blanks between the words.
---@return lucastra.SearchOptions
---@return string? problem
function M.search_options(words)
  local left, options = {}, { languages = {}, paths = {} }
  for _, word in ipairs(words) do
    local name, value = word:match("^%-%-(%l+)=?(.*)$")
    if name == "all" then
      options.everywhere = true
    elseif name == "quickfix" then
      options.quickfix = true
    elseif name == "mode" then
      options.mode = value
      if not vim.list_contains({ "hybrid", "keyword", "vector" }, value) then
        return "", options, ("there is no mode `%s`; use hybrid, keyword or vector"):format(value)
      end
    elseif name == "limit" then
      options.limit = tonumber(value)
      if not options.limit or options.limit % 1 ~= 0 or options.limit < 1 or options.limit > 100 then
        return "", options, "`--limit=` takes a whole number from 1 to 100"
      end
    elseif name == "lang" then
      table.insert(options.languages, value)
    elseif name == "path" then
      table.insert(options.paths, value)
    else
      left[#left + 1] = word
    end
  end
  return table.concat(left, " "), options
end

---@param invocation lucastra.Invocation
---@return string[]
local function lines_of(invocation)
  return vim.api.nvim_buf_get_lines(0, invocation.range.first - 1, invocation.range.last, false)
end

--- The lines of a range as Markdown; nil without a range.
---@param invocation lucastra.Invocation
---@return string[]?
local function code_of(invocation)
  if not invocation.range then
    return
  end
  local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ":.")
  local transcript = require("lucastra.chat.transcript")
  local range = invocation.range
  return transcript.quoted_code(name, range.first, range.last, vim.bo.filetype, lines_of(invocation))
end

--- Run `fn` with what was written, or with what the user then writes.
---@param text string
---@param prompt string
---@param fn fun(text: string)
local function with_text(text, prompt, fn)
  if text ~= "" then
    fn(text)
    return
  end
  vim.ui.input({ prompt = prompt }, function(written)
    if written and vim.trim(written) ~= "" then
      fn(written)
    end
  end)
end

---@param invocation lucastra.Invocation
local function search(invocation)
  local query, options, problem = M.search_options(invocation.words)
  if problem then
    message.error(problem)
    return
  end
  options.quickfix = options.quickfix or invocation.bang
  if query == "" and invocation.range then
    query = vim.trim(table.concat(lines_of(invocation), "\n"))
  end
  with_text(query, "Search: ", function(text)
    require("lucastra.search").search(text, options)
  end)
end

---@param invocation lucastra.Invocation
local function related(invocation)
  local _, options, problem = M.search_options(invocation.words)
  if problem then
    message.error(problem)
    return
  end
  options.quickfix = options.quickfix or invocation.bang
  require("lucastra.search").related(invocation.range and invocation.range.first, options)
end

---@param invocation lucastra.Invocation
local function ask(invocation)
  local code = code_of(invocation)
  with_text(invocation.rest, "Ask: ", function(question)
    require("lucastra.chat").ask(question, code)
  end)
end

local CHAT = {
  new = function()
    require("lucastra.chat").new()
  end,
  list = function()
    require("lucastra.chat.conversations").open()
  end,
  stop = function()
    require("lucastra.chat").stop()
  end,
  retry = function()
    require("lucastra.chat").retry()
  end,
  model = function()
    require("lucastra.chat").choose_model()
  end,
  rename = function()
    require("lucastra.chat.conversations").rename()
  end,
  delete = function()
    require("lucastra.chat.conversations").delete()
  end,
  export = function()
    require("lucastra.chat.conversations").export()
  end,
}

---@param invocation lucastra.Invocation
local function chat(invocation)
  local action = invocation.words[1]
  local code = code_of(invocation)
  if action and not CHAT[action] then
    message.error(("`:Lucastra chat` knows no `%s`; to ask a question use `:Lucastra ask`"):format(action))
  elseif action then
    CHAT[action]()
  elseif code then
    require("lucastra.chat").attach(code)
  else
    require("lucastra.chat").open()
  end
end

---@param invocation lucastra.Invocation
local function index(invocation)
  local client = require("lucastra.client")
  local folder = invocation.rest ~= "" and vim.fs.abspath(vim.fn.expand(invocation.rest)) or client.root(0)
  if not folder then
    message.error("this file belongs to no project; name a folder: `:Lucastra index FOLDER`")
    return
  end
  message.info("indexing " .. folder .. " …")
  client.index(folder, function(problem, result)
    if problem then
      message.error(problem)
      return
    end
    local one = result.workspace
    local text = "%s is up to date: %d files, %d passages, after %.1f s"
    message.info(text:format(one.root, one.files or 0, one.chunks or 0, result.elapsedSeconds or 0))
  end)
end

---@param invocation lucastra.Invocation
local function completion(invocation)
  local wanted = ({ on = true, off = false })[invocation.words[1] or ""]
  local on = require("lucastra.ghost").toggle(wanted)
  message.info(on and "completions are on in this buffer" or "completions are off in this buffer")
end

---@param names string[]
---@return fun(lead: string): string[]
local function one_of(names)
  return function(lead)
    return vim.tbl_filter(function(name)
      return vim.startswith(name, lead)
    end, names)
  end
end

---@param lead string
---@return string[]
local function complete_search(lead)
  if lead:sub(1, 2) ~= "--" then
    return {}
  elseif lead:sub(1, 7) == "--lang=" then
    return vim.tbl_map(function(name)
      return "--lang=" .. name
    end, vim.fn.getcompletion(lead:sub(8), "filetype"))
  end
  return one_of(lead:find("=", 1, true) and MODES or SEARCH_OPTIONS)(lead)
end

---@type table<string, lucastra.Subcommand>
M.subcommands = {
  search = { run = search, complete = complete_search },
  related = { run = related, complete = complete_search },
  ask = { run = ask },
  chat = { run = chat, complete = one_of({ "delete", "export", "list", "model", "new", "rename", "retry", "stop" }) },
  index = {
    run = index,
    complete = function(lead)
      return vim.fn.getcompletion(lead, "dir")
    end,
  },
  status = {
    run = function()
      require("lucastra.report").status()
    end,
  },
  doctor = {
    run = function()
      require("lucastra.report").doctor()
    end,
  },
  log = {
    run = function()
      require("lucastra.report").log()
    end,
  },
  restart = {
    run = function(invocation)
      require("lucastra.client").restart(invocation.bang)
    end,
  },
  completion = { run = completion, complete = one_of({ "off", "on" }) },
}

---@return string[]
local function names()
  local known = vim.tbl_keys(M.subcommands)
  table.sort(known)
  return known
end

--- Run `:Lucastra`.
---@param given vim.api.keyset.create_user_command.command_args
function M.run(given)
  local name = given.fargs[1]
  local subcommand = M.subcommands[name or ""]
  if not subcommand then
    local what = name and ("there is no `:Lucastra %s`"):format(name) or "say what to do"
    message.error(("%s; it knows %s"):format(what, table.concat(names(), ", ")))
    return
  end
  subcommand.run({
    words = vim.list_slice(given.fargs, 2),
    rest = vim.trim(given.args:sub(#name + 1)),
    bang = given.bang,
    range = given.range > 0 and { first = given.line1, last = given.line2 } or nil,
  })
end

--- Complete `:Lucastra`.
---@param lead string
---@param line string
---@param position integer
---@return string[]
function M.complete(lead, line, position)
  local before = line:sub(1, position):match("Lucastra!?%s+(.*)$") or ""
  local name = before:match("^(%l+)%s")
  if not name then
    return one_of(names())(lead)
  end
  local subcommand = M.subcommands[name]
  return subcommand and subcommand.complete and subcommand.complete(lead) or {}
end

return M
