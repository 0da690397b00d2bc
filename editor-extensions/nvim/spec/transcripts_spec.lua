--- The daemon's part of the contract's golden transcripts, played to the plugin.
local TRANSCRIPTS = vim.fs.normalize(vim.fs.joinpath(vim.uv.cwd(), "../../protocol/transcripts"))

--- A message with an example in the place of each placeholder and variable.
local function plain(value, variables)
  if type(value) == "string" then
    return (value:gsub("%${([%w_]+)}", variables))
  elseif type(value) ~= "table" then
    return value
  end
  local name, example = next(value)
  if type(name) == "string" and vim.startswith(name, "$") and next(value, name) == nil then
    return example
  end
  return vim.tbl_map(function(one)
    return plain(one, variables)
  end, value)
end

--- The requests of a transcript: of each method the first, with its events and its reply.
local function requests_of(name)
  local lines = vim.tbl_map(function(line)
    return vim.json.decode(line, { luanil = { object = true } })
  end, vim.fn.readfile(vim.fs.joinpath(TRANSCRIPTS, name .. ".jsonl")))
  local by_method, by_id, by_token = {}, {}, {}
  for index = 2, #lines do
    local message = plain(lines[index].message or {}, lines[1].variables)
    if lines[index].from == "client" and message.id then
      local request = { events = {}, params = message.params }
      by_id[message.id] = request
      by_token[(message.params or {}).partialResultToken or ""] = request
      by_method[message.method] = by_method[message.method] or request
    elseif message.method == "$/progress" then
      table.insert(by_token[message.params.token].events, message.params.value)
    elseif message.id then
      local request = by_id[message.id]
      request.result, request.error = message.result, message.error
    end
  end
  return by_method
end

local requests = {}
local sent = {}

--- Stands for the relay: replies as the transcript has it.
local function replaying(dispatchers)
  local id = 0
  local function request(method, params, callback, replied)
    id = id + 1
    local this = id
    local answer = requests[method] or { events = {}, result = { capabilities = {} } } -- of initialize, and of shutdown
    sent[method] = params or {}
    vim.schedule(function()
      for _, event in ipairs(answer.events) do
        dispatchers.notification("$/progress", { token = params.partialResultToken, value = event })
      end
      callback(answer.error, answer.result)
      if replied then
        replied(this)
      end
    end)
    return true, this
  end
  local function yes()
    return true
  end
  local function no()
    return false
  end
  return { request = request, notify = yes, is_closing = no, terminate = no }
end

local function wait(condition)
  assert.is_true((vim.wait(5000, condition, 5)))
end

local function chat_text()
  return table.concat(vim.api.nvim_buf_get_lines(require("lucastra.chat").current().page.bufnr, 0, -1, true), "\n")
end

describe("the transcripts", function()
  local notify = vim.notify
  local told

  setup(function()
    vim.g.lucastra = { cmd = { vim.v.progpath } }
    vim.lsp.config("lucastra", { cmd = replaying })
  end)

  before_each(function()
    told = {}
    vim.notify = function(text)
      table.insert(told, text)
    end
  end)

  after_each(function()
    vim.notify = notify
  end)

  teardown(function()
    vim.g.lucastra = nil
  end)

  it("of a search give places", function()
    requests = requests_of("search")
    local reply = requests["lucastra/search"]
    local places
    require("lucastra.search").search(reply.params.query, {
      on_places = function(found)
        places = found
      end,
    })
    wait(function()
      return places ~= nil
    end)
    assert.equal(#reply.result.hits, #places)
    assert.equal(reply.result.hits[1].path, places[1].path)
    assert.equal(reply.result.hits[1].range.start.line + 1, places[1].first)
  end)

  it("of the daemon's state give a report", function()
    requests = requests_of("status")
    local status = requests["lucastra/status"].result
    local lines = table.concat(require("lucastra.report").status_lines(status), "\n")
    assert.truthy(lines:find(status.daemonVersion, 1, true))
    for _, workspace in ipairs(status.workspaces) do
      assert.truthy(lines:find(workspace.root, 1, true))
    end
  end)

  it("of a conversation give an answer below its passages", function()
    requests = requests_of("conversations")
    local reply = requests["lucastra/conversation/send"]
    require("lucastra.chat").ask(reply.params.text)
    wait(function()
      return chat_text():find("\n## You[%s]*$") and not require("lucastra.chat").current().running
    end)
    local text = chat_text()
    assert.equal(reply.params.text, sent["lucastra/conversation/send"].text)
    assert.equal(requests["lucastra/conversation/start"].result.id, sent["lucastra/conversation/send"].conversation)
    local source = (reply.result.turn.sources or {})[1]
    if source then
      assert.truthy(text:find(source.path, 1, true) < text:find(reply.result.turn.answer, 1, true))
    end
    assert.truthy(text:find(reply.result.turn.answer, 1, true))
  end)

  it("of what was kept give the same turns", function()
    local reply = requests["lucastra/conversation/history"]
    require("lucastra.chat").show(reply.result.conversation.id)
    wait(function()
      return require("lucastra.chat").current().title == reply.result.conversation.title
    end)
    for _, turn in ipairs(reply.result.turns) do
      assert.truthy(chat_text():find(turn.question, 1, true))
    end
  end)
end)
