--- The chat: one buffer, in which questions are written and answers arrive.
local client = require("lucastra.client")
local config = require("lucastra.config")
local message = require("lucastra.message")
local page = require("lucastra.chat.page")
local place = require("lucastra.place")
local protocol = require("lucastra.protocol")
local transcript = require("lucastra.chat.transcript")

local M = {}

local api = vim.api
local SPLITS = { right = "botright vsplit", left = "topleft vsplit", below = "botright split", above = "topleft split" }
local TITLE_CHARACTERS = 60

---@class lucastra.Chat
---@field page lucastra.Page
---@field conversation? string Its id; nil until the first question is sent.
---@field title string
---@field root? string The project that questions are about.
---@field provider? string `NAME` or `NAME/MODEL`; nil for the configured one.
---@field running? lucastra.Handle
---@field streamed string What has arrived of the answer.
---@field noted table<string, boolean> Notices that stand in the buffer.
---@field last_question? string

local chat ---@type lucastra.Chat?

---@return lucastra.Chat?
function M.current()
  return chat
end

local function show_state()
  if not chat then
    return
  end
  local stop = config.get().chat.keys.stop or ":Lucastra chat stop"
  local parts = { chat.title, chat.provider or "default model" }
  if chat.running then
    parts[#parts + 1] = ("answering … (stop: %s)"):format(stop)
  end
  local bar = (" LucAstra · " .. table.concat(parts, " · ")):gsub("%%", "%%%%")
  for _, window in ipairs(vim.fn.win_findbuf(chat.page.bufnr)) do
    vim.wo[window][0].winbar = bar
  end
  api.nvim_exec_autocmds("User", { pattern = "LucastraStatus", modeline = false })
end

---@param bufnr integer
local function set_up_keys(bufnr)
  local keys = config.get().chat.keys
  local function map(mode, key, callback, about)
    if key then
      vim.keymap.set(mode, key, callback, { buffer = bufnr, desc = "LucAstra: " .. about })
    end
  end
  map("n", keys.act, M.act, "open the citation, or send the question")
  map("n", keys.open, M.open_citation, "open the citation")
  map({ "n", "i" }, keys.send, M.send, "send the question")
  map("n", keys.stop, M.stop, "stop the answer")
end

---@return integer
local function make_buffer()
  local bufnr = api.nvim_create_buf(false, true)
  api.nvim_buf_set_name(bufnr, "lucastra://chat")
  vim.bo[bufnr].bufhidden = "hide"
  vim.bo[bufnr].filetype = "lucastra-chat"
  vim.treesitter.language.register("markdown", "lucastra-chat")
  if not pcall(vim.treesitter.start, bufnr, "markdown") then
    vim.bo[bufnr].syntax = "markdown"
  end
  set_up_keys(bufnr)
  -- `:bdelete` takes the maps and options away and leaves the buffer: the next chat is to have one of its own.
  api.nvim_create_autocmd({ "BufUnload", "BufWipeout" }, {
    buffer = bufnr,
    callback = function(event)
      if chat and chat.page.bufnr == bufnr then
        if chat.running then
          chat.running.cancel()
        end
        chat = nil
      end
      if event.event == "BufUnload" then
        vim.schedule(function()
          pcall(api.nvim_buf_delete, bufnr, { force = true })
        end)
      end
    end,
  })
  return bufnr
end

local function show_window()
  local bufnr = assert(chat).page.bufnr
  local window = vim.fn.bufwinid(bufnr)
  if window ~= -1 then
    api.nvim_set_current_win(window)
    return
  end
  local settings = config.get().chat
  if settings.position == "tab" then
    vim.cmd("tab split")
  elseif SPLITS[settings.position] then
    vim.cmd(SPLITS[settings.position])
    if settings.position == "right" or settings.position == "left" then
      api.nvim_win_set_width(0, math.floor(vim.o.columns * settings.size))
    else
      api.nvim_win_set_height(0, math.floor(vim.o.lines * settings.size))
    end
  end
  api.nvim_win_set_buf(0, bufnr)
  local options = vim.wo[0][0]
  options.wrap, options.linebreak, options.breakindent = true, true, true
  options.number, options.relativenumber, options.signcolumn = false, false, "no"
end

local function go_to_end()
  api.nvim_win_set_cursor(0, { api.nvim_buf_line_count(0), 0 })
end

--- Show the chat, which is made where there is none.
---@return lucastra.Chat
function M.open()
  -- A buffer that is no file, such as the chat itself, says nothing about the project once there is one.
  local bufnr = api.nvim_get_current_buf()
  local root = (not chat or vim.bo[bufnr].buftype == "") and client.root(bufnr) or nil
  if not chat then
    local provider = config.get().chat.provider
    chat = {
      page = page.new(make_buffer()),
      title = "new conversation",
      provider = provider ~= "" and provider or nil,
      streamed = "",
      noted = {},
    }
  end
  chat.root = root or chat.root
  show_window()
  go_to_end()
  show_state()
  return chat
end

---@return boolean
local function is_busy()
  if chat and chat.running then
    message.warn("an answer is being written; stop it first (`:Lucastra chat stop`)")
    return true
  end
  return false
end

--- Begin a new conversation.
---@return lucastra.Chat?
function M.new()
  if is_busy() then
    return
  end
  local current = M.open()
  current.conversation, current.title, current.last_question = nil, "new conversation", nil
  current.page:lock(false)
  current.page:clear()
  go_to_end()
  show_state()
  return current
end

--- End an answer, whole or not, and make room for the next question.
---@param closing string[]
local function finish(closing)
  local current = assert(chat)
  current.running = nil
  current.page:append_lines(vim.list_extend(closing, { "" }))
  current.page:link_citations()
  current.page:prompt_again()
  current.page:lock(false)
  show_state()
end

---@param event table
local function on_event(event)
  local current = assert(chat)
  if event.kind == "passages" then
    local notes = transcript.notes(event)
    for _, note in ipairs(notes) do
      current.noted[note] = true
    end
    current.page:passages(transcript.places(event.citations or {}), notes)
  elseif event.kind == "delta" then
    current.streamed = current.streamed .. event.text
    current.page:append_text(event.text)
  end
end

---@param problem? { message: string }
---@param result? lucastra.SendResult
local function on_answer(problem, result)
  local current = assert(chat)
  if problem then
    finish(transcript.broken_off(problem.message))
    return
  end
  local turn = assert(result).turn
  local answer = turn.answer or ""
  if vim.startswith(answer, current.streamed) then
    current.page:append_text(answer:sub(#current.streamed + 1))
  end
  local closing = {}
  for _, notice in ipairs(result.notices or {}) do
    if not current.noted[notice] then
      vim.list_extend(closing, { "", "> " .. notice })
    end
  end
  finish(vim.list_extend(closing, transcript.footer(turn)))
end

---@param question string
local function ask_in_conversation(question)
  local current = assert(chat)
  local params = {
    conversation = current.conversation,
    text = question,
    provider = current.provider,
    limit = config.get().chat.passages,
    workspaces = current.root and { current.root } or nil,
  }
  local options = { root = current.root, on_event = on_event, bufnr = current.page.bufnr }
  current.running = client.request_of_project(protocol.methods.conversation_send, params, on_answer, options)
end

--- Send the question that stands below the last heading.
function M.send()
  if not chat or is_busy() then
    return
  end
  local current = chat
  local question = current.page:question()
  if question == "" then
    message.info("write a question below the last heading, and send it with <CR>")
    return
  end
  vim.cmd.stopinsert()
  current.last_question, current.streamed, current.noted = question, "", {}
  current.page:append_lines({ "" })
  current.page:begin_answer()
  current.page:lock(true)
  go_to_end()
  if current.conversation then
    ask_in_conversation(question)
  else
    current.title = vim.fn.strcharpart(question:match("[^\n]*"), 0, TITLE_CHARACTERS)
    current.running = client.request(protocol.methods.conversation_start, nil, function(problem, made)
      if problem then
        on_answer(problem)
      else
        current.conversation = made.id
        ask_in_conversation(question)
      end
    end)
  end
  show_state()
end

--- Ask a question in a conversation of its own.
---@param question string
---@param code? string[] Markdown of the code that it is about.
function M.ask(question, code)
  local current = M.new()
  if current then
    current.page:set_question(vim.list_extend(code or {}, transcript.lines(question)))
    M.send()
  end
end

--- Put code into the question that is being written.
---@param code string[]
function M.attach(code)
  if is_busy() then
    return
  end
  local current = M.open()
  local draft = current.page:question()
  local lines = draft == "" and {} or vim.list_extend(transcript.lines(draft), { "" })
  current.page:set_question(vim.list_extend(lines, code))
  go_to_end()
end

--- Stop the answer that is being written; what has arrived stays.
function M.stop()
  if chat and chat.running then
    chat.running.cancel()
    finish(transcript.broken_off("you stopped it"))
  end
end

--- Ask the last question again.
function M.retry()
  if not chat or not chat.last_question then
    message.info("there is no question to ask again")
  elseif not is_busy() then
    M.open().page:set_question(transcript.lines(chat.last_question))
    M.send()
  end
end

--- Open what is cited under the cursor; whether there was a citation.
---@return boolean
function M.open_citation()
  local row, column = unpack(api.nvim_win_get_cursor(0))
  local cited = chat and chat.page:cited_at(row - 1, column)
  if cited then
    place.open(cited)
  end
  return cited ~= nil
end

--- Send the question if the cursor stands in it, else open what is cited there.
function M.act()
  if not chat then
    return
  end
  if api.nvim_win_get_cursor(0)[1] - 1 >= chat.page:prompt_row() and not chat.running then
    M.send()
  elseif not M.open_citation() then
    message.info("nothing is cited here")
  end
end

--- Show a conversation that was kept.
---@param id string
function M.show(id)
  if is_busy() then
    return
  end
  client.request(protocol.methods.conversation_history, { conversation = id, limit = 1000 }, function(problem, result)
    if problem then
      message.error(problem)
      return
    end
    local current = M.new()
    if not current then
      return
    end
    current.conversation, current.title = id, result.conversation.title
    current.page:past_turns(result.turns or {})
    local last = (result.turns or {})[#(result.turns or {})]
    current.last_question = last and last.question
    go_to_end()
    show_state()
  end)
end

--- Choose who answers from now on.
function M.choose_model()
  client.request(protocol.methods.models, nil, function(problem, result)
    if problem then
      message.error(problem)
      return
    end
    local choices = { "the configured one" }
    for _, model in ipairs(result.models or {}) do
      choices[#choices + 1] = ("%s/%s"):format(model.provider, model.id)
    end
    if #(result.problems or {}) > 0 then
      message.warn(table.concat(result.problems, "; "))
    end
    vim.ui.select(choices, { prompt = "Who is to answer?", kind = "lucastra.model" }, function(_, index)
      if index then
        M.open().provider = index > 1 and choices[index] or nil
        show_state()
      end
    end)
  end)
end

return M
