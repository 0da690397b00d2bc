--- The daemon's part of the contract's golden transcripts, played to the plugin: what it sends must be what a client
--- says there, and what it then shows is what the daemon says.
local TRANSCRIPTS = vim.fs.normalize(vim.fs.joinpath(vim.uv.cwd(), "../../protocol/transcripts"))
local SCHEMA = vim.fs.normalize(vim.fs.joinpath(vim.uv.cwd(), "../../protocol/schema/methods.schema.json"))
local AS_OBJECTS = { luanil = { object = true, array = true } }

local contract = vim.json.decode(table.concat(vim.fn.readfile(SCHEMA), "\n"), AS_OBJECTS)

--- A message with an example in the place of each placeholder and variable.
local function plain(value, variables)
  if type(value) == "string" then
    return (value:gsub("%${([%w_]+)}", variables))
  elseif type(value) ~= "table" then
    return value
  end
  local name, example = next(value)
  if type(name) == "string" and vim.startswith(name, "$") and next(value, name) == nil then
    return plain(example, variables)
  end
  return vim.tbl_map(function(one)
    return plain(one, variables)
  end, value)
end

--- The requests of a transcript, each with its events and its reply, and the client's notifications.
local function transcript(name)
  local lines = vim.tbl_map(function(line)
    return vim.json.decode(line, AS_OBJECTS)
  end, vim.fn.readfile(vim.fs.joinpath(TRANSCRIPTS, name .. ".jsonl")))
  local requests, by_id, by_token, notifications = {}, {}, {}, {}
  for index = 2, #lines do
    local message = plain(lines[index].message or {}, lines[1].variables)
    if lines[index].from == "client" and message.id and message.method then
      local params = message.params or {}
      local request = { method = message.method, params = params, events = {} }
      table.insert(requests, request)
      by_id[message.id] = request
      by_token[params.partialResultToken or params.workDoneToken or ""] = request
    elseif lines[index].from == "client" and message.method then
      table.insert(notifications, { message.method, message.params })
    elseif message.method == "$/progress" then
      table.insert(by_token[message.params.token].events, message.params.value)
    elseif message.id and by_id[message.id] then
      by_id[message.id].result, by_id[message.id].error = message.result, message.error
    end
  end
  return requests, notifications
end

--- Params as they count: defaults are written out, paths stand for their URIs, and each client has its own tokens,
--- name, and number of hits where a transcript leaves that to the configuration.
local function comparable(method, params)
  local shape = contract["$defs"][(contract.methods[method].params["$ref"]):match("[^/]+$")]
  local whole = vim.deepcopy(params)
  for name, property in pairs(shape.properties) do
    if whole[name] == nil then
      whole[name] = property.default
    end
  end
  whole.path = whole.path and whole.path:gsub("^file://", "")
  for _, name in ipairs({ "partialResultToken", "workDoneToken", "clientName", "clientVersion" }) do
    whole[name] = nil
  end
  return whole
end

local waiting = {} -- requests of the transcript that have not been made
local differences = {}
local notified = {}

--- The transcript's request that a request is; a difference is kept for the test.
local function take(method, params)
  for index, request in ipairs(waiting) do
    if request.method == method then
      table.remove(waiting, index)
      local expected, came = comparable(method, request.params), comparable(method, params)
      if expected.limit == nil or method == "lucastra/conversation/list" then
        expected.limit = came.limit
      end
      if not vim.deep_equal(expected, came) then
        table.insert(differences, ("%s: %s in place of %s"):format(method, vim.inspect(came), vim.inspect(expected)))
      end
      return request
    end
  end
end

--- Stands for the relay: replies as the transcript has it.
local function replaying(dispatchers)
  local id = 0
  local function request(method, params, callback, replied)
    id = id + 1
    local this = id
    local answer = vim.startswith(method, "lucastra/") and take(method, params or {})
      or { events = {}, result = { capabilities = {} } } -- of initialize, and of shutdown
    vim.schedule(function()
      local token = params and (params.partialResultToken or params.workDoneToken)
      for _, event in ipairs(answer.events) do
        dispatchers.notification("$/progress", { token = token, value = event })
      end
      callback(answer.error, answer.result)
      if replied then
        replied(this)
      end
    end)
    return true, this
  end
  local function notify(method, params)
    table.insert(notified, { method, params })
    return true
  end
  local function no()
    return false
  end
  return { request = request, notify = notify, is_closing = no, terminate = no }
end

local function wait(condition)
  assert.is_true((vim.wait(5000, condition, 5)))
end

local function chat_text()
  return table.concat(vim.api.nvim_buf_get_lines(require("lucastra.chat").current().page.bufnr, 0, -1, true), "\n")
end

describe("the transcript", function()
  local client = require("lucastra.client")
  local real = { notify = vim.notify, root = client.root, select = vim.ui.select, input = vim.ui.input }
  local told, choice, offered

  --- Play what a transcript has of these methods; without methods, all of it.
  local function play(name, ...)
    local methods = { ... }
    local requests, notifications = transcript(name)
    waiting = vim.tbl_filter(function(one)
      return #methods == 0 or vim.list_contains(methods, one.method)
    end, requests)
    return vim.deepcopy(waiting), notifications
  end

  local function told_of(text)
    wait(function()
      return vim.iter(told):any(function(one)
        return one:find(text, 1, true) ~= nil
      end)
    end)
  end

  setup(function()
    vim.g.lucastra = { cmd = { vim.v.progpath } }
    vim.lsp.config("lucastra", { cmd = replaying })
    play("initialize", "lucastra/hello")
    local connected
    client.ready(function(made)
      connected = made
    end)
    wait(function()
      return connected ~= nil
    end)
  end)

  before_each(function()
    told, differences, notified, choice, offered = {}, {}, {}, 1, nil
    vim.notify = function(text)
      table.insert(told, text)
    end
    vim.ui.select = function(items, options, chosen)
      offered = vim.tbl_map(options.format_item or tostring, items)
      chosen(items[choice], choice)
    end
  end)

  after_each(function()
    vim.notify, client.root, vim.ui.select, vim.ui.input = real.notify, real.root, real.select, real.input
    assert.same({}, differences)
  end)

  teardown(function()
    vim.g.lucastra = nil
  end)

  --- Run a search of the transcript, for which the current project is what it searches.
  local function search(request, run)
    client.root = function()
      return (request.params.workspaces or {})[1]
    end
    waiting = { request }
    local places
    run({
      mode = request.params.mode,
      limit = request.params.limit,
      languages = request.params.languages,
      paths = request.params.paths,
      on_places = function(found)
        places = found
      end,
    })
    if request.error then
      told_of(request.error.message)
      return
    end
    wait(function()
      return places ~= nil
    end)
    assert.equal(#(request.result.hits or {}), #places)
    for index, hit in ipairs(request.result.hits or {}) do
      assert.equal(hit.path, places[index].path)
      assert.equal(hit.range.start.line + 1, places[index].first)
    end
    for _, notice in ipairs(request.result.notices or {}) do
      told_of(notice)
    end
  end

  it("of searches gives places", function()
    local searched = 0
    for _, request in ipairs(play("search", "lucastra/search")) do
      if not request.params.explain then -- the plugin explains nothing
        searched = searched + 1
        search(request, function(options)
          require("lucastra.search").search(request.params.query, options)
        end)
      end
    end
    assert.truthy(searched >= 4)
  end)

  it("of what is related gives places, and says why there are none", function()
    for _, request in ipairs(play("related", "lucastra/related")) do
      local path = request.params.path:gsub("^file://", "")
      local bufnr = vim.api.nvim_create_buf(true, false)
      vim.api.nvim_buf_set_name(bufnr, path)
      vim.api.nvim_set_current_buf(bufnr)
      search(request, function(options)
        require("lucastra.search").related((request.params.line or 0) + 1, options)
      end)
    end
  end)

  it("that differs in one word is noticed", function()
    local request = play("search", "lucastra/search")[1]
    local other = vim.deepcopy(request)
    other.params.query = other.params.query .. " or not"
    search(other, function(options)
      require("lucastra.search").search(request.params.query, options)
    end)
    assert.equal(1, #differences)
    differences = {}
  end)

  it("of the daemon's state gives a report", function()
    local status = play("status", "lucastra/status")[1].result
    require("lucastra.report").status()
    wait(function()
      return vim.api.nvim_buf_get_lines(0, 0, 1, false)[1] == "# LucAstra " .. status.daemonVersion
    end)
    local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
    for _, workspace in ipairs(status.workspaces) do
      assert.truthy(text:find(("%s: %s"):format(workspace.root, workspace.state), 1, true))
    end
    vim.cmd("close")
  end)

  it("of an examination gives what is wrong, and the cures", function()
    local checks = play("doctor", "lucastra/doctor")[1].result.checks
    require("lucastra.report").doctor()
    wait(function()
      return vim.api.nvim_buf_get_lines(0, 0, 1, false)[1] == "# LucAstra doctor"
    end)
    local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
    for _, check in ipairs(checks) do
      assert.truthy(text:find(check.detail, 1, true) and text:find(check.cure, 1, true))
    end
    vim.cmd("close")
  end)

  it("of indexing reports what is indexed, or why not", function()
    for _, request in ipairs(play("index", "lucastra/index")) do
      waiting = { request }
      local problem, result, done
      client.index(request.params.path, function(...)
        problem, result = ...
        done = true
      end)
      wait(function()
        return done
      end)
      assert.same(request.error, problem and { code = problem.code, message = problem.message })
      assert.same(request.result, result)
    end
  end)

  it("of a chat gives an answer below its passages, and the same when it is opened again", function()
    local requests = play("chat", "lucastra/conversation/start", "lucastra/conversation/send")
    local start, send = unpack(requests)
    client.root = function()
      return send.params.workspaces[1]
    end
    vim.cmd("enew")
    require("lucastra.chat").ask(send.params.text)
    wait(function()
      return chat_text():find("\n## You[%s]*$") and not require("lucastra.chat").current().running
    end)
    assert.same({}, waiting)
    local turn = send.result.turn
    local text = chat_text()
    assert.truthy(text:find(turn.sources[1].path, 1, true) < text:find(turn.answer, 1, true))
    assert.equal(start.result.id, require("lucastra.chat").current().conversation)

    local kept = vim.tbl_filter(function(request)
      return request.params.limit == 1000
    end, (play("chat", "lucastra/conversation/history")))
    waiting = vim.deepcopy(kept)
    require("lucastra.chat").show(start.result.id)
    wait(function()
      return require("lucastra.chat").current().title == kept[1].result.conversation.title
    end)
    assert.same({}, waiting)
    assert.truthy(chat_text():find(turn.answer, 1, true))
  end)

  it("of the kept conversations lists, renames, exports and deletes them", function()
    local conversations = require("lucastra.chat.conversations")
    local list = play("conversations", "lucastra/conversation/list")[1]
    local function act(method, chosen, run)
      local request = play("conversations", method)[1]
      table.insert(waiting, vim.deepcopy(list))
      choice = chosen
      run(request)
      wait(function()
        return #waiting == 0
      end)
      for index, conversation in ipairs(list.result.conversations) do
        assert.truthy(offered[index]:find(conversation.title, 1, true))
      end
      return request
    end

    act("lucastra/conversation/rename", 2, function(request)
      vim.ui.input = function(_, typed)
        typed(request.params.title)
      end
      conversations.rename()
    end)
    local export = act("lucastra/conversation/export", 1, conversations.export)
    wait(function()
      return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n") == export.result.text
    end)
    vim.cmd("bdelete!")
    local confirm = vim.fn.confirm
    vim.fn.confirm = function()
      return 1
    end
    act("lucastra/conversation/delete", 2, conversations.delete)
    vim.fn.confirm = confirm
  end)

  it("of the models offers them", function()
    local request = vim.tbl_filter(function(one)
      return one.params.provider == nil
    end, (play("models", "lucastra/models")))[1]
    waiting = { request }
    require("lucastra.chat").choose_model()
    wait(function()
      return offered ~= nil
    end)
    assert.equal(1 + #(request.result.models or {}), #offered)
  end)

  it("of a completion reports what was shown, and what was taken of it", function()
    local report = require("lucastra.ghost.report")
    local requests, said = play("inline-completion", "textDocument/inlineCompletion")
    local id = report.id_of(requests[1].result.items[1].command)
    report.shown(id)
    report.shown(report.id_of(requests[2].result.items[1].command)) -- the same, which was typed into
    report.accepted(id, true)
    local expected = vim.tbl_filter(function(one)
      return vim.startswith(one[1], "lucastra/") and one[2].id == id
    end, said)
    assert.same(expected, notified)
  end)
end)
