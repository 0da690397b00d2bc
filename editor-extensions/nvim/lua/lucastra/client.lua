--- The connection to the daemon: one language client, whatever number of projects is open.
---
--- Invariant: every request is called back exactly once, unless it was cancelled, also when the daemon is killed.
--- Neovim itself forgets the requests of a client that has gone.
local config = require("lucastra.config")
local daemon = require("lucastra.daemon")
local message = require("lucastra.message")
local protocol = require("lucastra.protocol")
local version = require("lucastra.version")

local M = {}

M.NAME = "lucastra"
M.INSTALL = "install it with `pipx install .` in a clone of LucAstra, or set `cmd` in `vim.g.lucastra`"

---@class lucastra.Handle
---@field cancel fun() Ends the request; its callback is not called any more.

---@alias lucastra.Callback fun(problem?: { code: integer, message: string }, result?: any)

--- A daemon that has not answered a goodbye by then is left without; one that is to stop may have more to do.
local GOODBYE_MS, STOP_MS = 1500, 5000
--- One that is not connected again by then does not answer.
local CONNECT_MS = 5000
--- The relay's status where a daemon runs and does not answer.
local SILENT = 69

---@alias lucastra.Phase "stopped"|"missing"|"starting"|"ready"|"incompatible"|"reconnecting"

local phase = "stopped" ---@type lucastra.Phase
local client ---@type vim.lsp.Client?
local mismatch ---@type string? Why the daemon cannot be asked, although it is connected.
local folders = {} ---@type string[]
local waiting = {} ---@type fun(client?: vim.lsp.Client, problem?: string, silent?: boolean)[]
local pending = {} ---@type table<integer, lucastra.Callback>
local streams = {} ---@type table<string, fun(event: table)>
local tokens = 0
local tries = 0
local timer ---@type uv.uv_timer_t?
local told_of_loss = false
local restarting = false
local last_problem ---@type string?

---@return lucastra.Phase
function M.phase()
  return phase
end

---@return vim.lsp.Client?
function M.current()
  return client
end

---@param new lucastra.Phase
local function enter(new)
  phase = new
  vim.schedule(function()
    vim.api.nvim_exec_autocmds("User", { pattern = "LucastraStatus", modeline = false })
  end)
end

---@param made? vim.lsp.Client
---@param problem? string
---@param silent? boolean
local function serve_waiting(made, problem, silent)
  local queue = waiting
  waiting = {}
  for _, fn in ipairs(queue) do
    fn(made, problem, silent)
  end
end

--- Whether the relay's program can be started.
---@return boolean
function M.is_installed()
  return vim.fn.executable(config.get().cmd[1]) == 1
end

---@return string
function M.missing_message()
  return ("`%s` was not found; %s"):format(config.get().cmd[1], M.INSTALL)
end

--- The folder of the project that a buffer's file, or the current folder, belongs to.
---@param bufnr integer
---@return string?
function M.root(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  local source = (vim.bo[bufnr].buftype == "" and name ~= "") and vim.fs.normalize(name) or assert(vim.uv.cwd())
  for _, group in ipairs(config.get().root_markers) do
    local root = vim.fs.root(source, function(entry)
      return vim.list_contains(group, entry)
    end)
    if root then
      return root
    end
  end
end

--- Tell the daemon of a further folder; one that it has is left alone.
---@param root string
local function adopt(root)
  if vim.list_contains(folders, root) then
    return
  end
  folders[#folders + 1] = root
  local folder = { uri = vim.uri_from_fname(root), name = root }
  if client then
    client.workspace_folders = vim.list_extend(client.workspace_folders or {}, { folder })
    client:notify("workspace/didChangeWorkspaceFolders", { event = { added = { folder }, removed = {} } })
  end
end

--- The daemon can be asked from now on.
---@param made vim.lsp.Client
local function be_ready(made)
  local lost = told_of_loss
  tries, told_of_loss, last_problem = 0, false, nil
  enter("ready")
  if lost then
    message.info("connected to the daemon again")
  end
  serve_waiting(made)
end

--- Compare versions before anything else is asked; what is standard LSP goes on meanwhile, and whatever they are.
---@param made vim.lsp.Client
local function on_init(made)
  client, mismatch = made, nil
  local first = (made.workspace_folders or {})[1]
  local known = folders
  folders = first and { first.name } or {}
  for _, root in ipairs(known) do
    adopt(root)
  end
  made:request(protocol.methods.hello, version.hello(), function(problem, hello)
    if client ~= made then
      return
    end
    mismatch = problem and problem.message or version.mismatch(hello)
    if not mismatch then
      be_ready(made)
      return
    end
    tries, told_of_loss = 0, false
    enter("incompatible")
    message.error(mismatch)
    serve_waiting(nil, mismatch)
  end)
end

local function stop_timer()
  if timer then
    timer:stop()
    timer:close()
    timer = nil
  end
end

--- Start the relay without a file of its own; buffers attach to the same client.
local function start()
  stop_timer()
  if not M.is_installed() then
    enter("missing")
    serve_waiting(nil, M.missing_message())
    return
  end
  local settings = vim.deepcopy(vim.lsp.config[M.NAME])
  settings.root_dir = folders[1]
  if not vim.lsp.start(settings, { attach = false, reuse_client = settings.reuse_client }) then
    enter("stopped")
    serve_waiting(nil, ("`%s` could not be started; %s"):format(config.get().cmd[1], M.INSTALL))
    return
  end
  if vim.lsp.is_enabled(M.NAME) then
    vim.lsp.enable(M.NAME) -- attaches every buffer that is open; it starts nothing that runs
  end
end

local function retry_later()
  local limits = config.get().reconnect
  local delay = math.min(limits.longest_ms, limits.first_ms * 2 ^ tries)
  tries = tries + 1
  enter("reconnecting")
  stop_timer()
  timer = assert(vim.uv.new_timer())
  timer:start(delay, 0, vim.schedule_wrap(start))
end

---@param problem string
local function fail_pending(problem)
  local failed = pending
  pending, streams = {}, {}
  for _, callback in pairs(failed) do
    callback({ code = protocol.errors.DAEMON_UNREACHABLE, message = problem })
  end
end

---@return boolean
local function answers()
  return phase == "ready" or phase == "incompatible"
end

--- Ask whether a daemon that runs and does not answer is to be ended.
local function offer_to_end()
  local pid = daemon.process()
  if not pid then
    return
  end
  local choices = { ("end process %d, and start another"):format(pid), "wait for it" }
  local prompt = ("LucAstra's daemon, process %d, does not answer; ending it loses nothing that is indexed"):format(pid)
  vim.ui.select(choices, { prompt = prompt, kind = "lucastra.daemon" }, function(_, index)
    if index ~= 1 then
      return
    elseif answers() then
      message.info("the daemon answers again, and was left alone")
      return
    end
    daemon.finish(pid, function()
      if not answers() then
        start()
      end
    end)
  end)
end

--- The relay could not reach the daemon: tell why, once, and who stands in the way.
---@param silent boolean
local function tell_unreached(silent)
  local function tell(reason)
    if reason ~= last_problem then
      last_problem = reason
      local pid = silent and daemon.process()
      local cure = pid and ("; it is process %d, which `:Lucastra! restart` ends"):format(pid) or ""
      message.error("cannot reach the daemon: " .. reason .. cure)
    end
    serve_waiting(nil, reason, silent)
  end
  if silent then
    tell("it runs and does not answer")
  else
    daemon.ask_reason(tell)
  end
end

--- The relay has left: with 0 because it was told to, else because the daemon did or was never reached.
---@param rpc vim.lsp.rpc.PublicClient
---@param code integer
---@param signal integer
local function on_exit(rpc, code, signal)
  local was_ready = client ~= nil
  if vim.v.exiting ~= vim.NIL or (client and client.rpc ~= rpc) then
    return
  end
  client, mismatch = nil, nil
  fail_pending("the connection to the daemon was lost; ask again once it is back")
  if restarting then
    restarting = false
    start()
  elseif code == 0 and (signal == 0 or signal == 15) then
    enter("stopped")
    if #waiting > 0 then
      start()
    end
  elseif was_ready then
    told_of_loss = true
    message.warn("lost the connection to the daemon; reconnecting …")
    retry_later()
  else
    told_of_loss = true
    retry_later()
    tell_unreached(code == SILENT)
  end
end

--- Start the relay for Neovim's client.
---@param dispatchers vim.lsp.rpc.Dispatchers
---@return vim.lsp.rpc.PublicClient
local function spawn(dispatchers)
  local settings = config.get()
  local rpc ---@type vim.lsp.rpc.PublicClient
  local observed = vim.tbl_extend("force", dispatchers, {
    on_exit = function(code, signal)
      dispatchers.on_exit(0, 0) -- Neovim warns of any other status by naming a log, over what we say
      vim.schedule(function()
        on_exit(rpc, code, signal)
      end)
    end,
  })
  rpc = vim.lsp.rpc.start(settings.cmd, observed, { env = settings.env })
  if phase ~= "reconnecting" then
    enter("starting")
  end
  return rpc
end

---@param params lsp.ProgressParams
---@param context lsp.HandlerContext
local function on_progress(problem, params, context)
  local stream = streams[params.token]
  if stream then
    stream(params.value)
  elseif not tostring(params.token):find("^lucastra%-%d+$") then -- else it is late: its request has ended
    vim.lsp.handlers["$/progress"](problem, params, context)
  end
end

--- What lsp/lucastra.lua gives to `vim.lsp.config`.
---@return vim.lsp.Config
function M.lsp_config()
  return {
    cmd = spawn,
    root_dir = function(bufnr, on_dir)
      local root = M.root(bufnr)
      if not root then
        return
      end
      if M.is_installed() then
        on_dir(root)
      elseif phase ~= "missing" then
        enter("missing")
        message.warn(M.missing_message())
      end
    end,
    reuse_client = function(running, wanted)
      if running.name ~= M.NAME or running:is_stopped() then
        return false
      end
      if wanted.root_dir then
        adopt(wanted.root_dir)
      end
      return true
    end,
    handlers = { ["$/progress"] = on_progress },
    on_init = on_init,
  }
end

--- Call `fn` with the client once it can be asked, or with what is wrong. Starts it if need be.
---@param fn fun(client?: vim.lsp.Client, problem?: string, silent?: boolean)
---@param root? string A folder that the daemon is to know.
function M.ready(fn, root)
  if root then
    adopt(root)
  end
  if mismatch then
    fn(nil, mismatch)
    return
  elseif phase == "ready" and client and not client:is_stopped() then
    fn(client)
    return
  end
  waiting[#waiting + 1] = fn
  if not client then
    start()
  end
end

---@class lucastra.RequestOptions
---@field bufnr? integer Changes of this buffer reach the daemon first. Default: the current one.
---@field root? string The project that is asked about: it is indexed first if the daemon does not know it.
---@field on_event? fun(event: table) Called with each event of an answer as it is written.

--- Send one of LucAstra's requests.
---@param method string One of `protocol.methods`.
---@param params? table
---@param callback lucastra.Callback
---@param options? lucastra.RequestOptions
---@return lucastra.Handle
function M.request(method, params, callback, options)
  options = options or {}
  local bufnr = options.bufnr or vim.api.nvim_get_current_buf()
  local handle = { cancelled = false } ---@type table
  local function send(made, problem)
    if handle.cancelled then
      return
    elseif not made then
      callback({ code = protocol.errors.DAEMON_UNREACHABLE, message = assert(problem) })
      return
    end
    local sent = params and vim.deepcopy(params) or nil
    if options.on_event then
      tokens = tokens + 1
      handle.token = "lucastra-" .. tokens
      streams[handle.token] = options.on_event
      sent = vim.tbl_extend("force", sent or {}, { partialResultToken = handle.token })
    end
    local _, id
    local function reply(err, result)
      streams[handle.token or ""] = nil
      if pending[id] then
        pending[id] = nil
        callback(err, result)
      end
    end
    _, id = made:request(method, sent, reply, vim.api.nvim_buf_is_valid(bufnr) and bufnr or 0)
    if not id then
      callback({ code = protocol.errors.DAEMON_UNREACHABLE, message = "the daemon is leaving; ask again" })
      return
    end
    handle.id = id
    pending[id] = callback
  end
  function handle.cancel()
    handle.cancelled = true
    if handle.id and pending[handle.id] and client then
      pending[handle.id] = nil
      streams[handle.token or ""] = nil
      client:cancel_request(handle.id)
    end
  end
  M.ready(send, options.root)
  return handle
end

--- The same for what is asked of a project: one that the daemon does not know yet is indexed, and asked again.
---@param method string
---@param params table
---@param callback lucastra.Callback
---@param options lucastra.RequestOptions
---@return lucastra.Handle
function M.request_of_project(method, params, callback, options)
  local current ---@type lucastra.Handle
  local cancelled = false
  local function again(problem)
    if problem then
      callback(problem)
    elseif not cancelled then
      current = M.request(method, params, callback, options)
    end
  end
  current = M.request(method, params, function(problem, result)
    local unknown = problem and problem.code == protocol.errors.WORKSPACE_NOT_FOUND and options.root
    if unknown then
      current = M.index(options.root, again)
    else
      callback(problem, result)
    end
  end, options)
  return {
    cancel = function()
      cancelled = true
      current.cancel()
    end,
  }
end

--- Bring a folder's index up to date; its progress is told through `LspProgress`.
---@param root string
---@param callback lucastra.Callback
---@return lucastra.Handle
function M.index(root, callback)
  tokens = tokens + 1
  local params = { path = root, workDoneToken = "lucastra-index-" .. tokens }
  return M.request(protocol.methods.index, params, callback)
end

--- Tell the daemon something; without a connection nobody is told.
---@param method string One of `protocol.client_notifications`.
---@param params table
function M.notify(method, params)
  if phase == "ready" and client then
    client:notify(method, params)
  end
end

--- Let the daemon stop, with whose end the connection ends too.
---@param leaving vim.lsp.Client
---@param before lucastra.Phase
---@param answered fun()
local function ask_to_stop(leaving, before, answered)
  leaving:request(protocol.methods.stop, nil, function(problem)
    answered()
    if problem and client == leaving then
      restarting = false
      if phase == "reconnecting" then
        enter(before)
      end
      message.error(problem)
    end
  end)
end

--- Without a connection the daemon can only be told to stop once there is one.
local function restart_once_connected()
  M.ready(function(_, problem, silent)
    if client then
      M.restart(true)
    elseif silent then
      offer_to_end()
    else
      message.error(assert(problem))
    end
  end)
end

--- Connect anew; with `stop_daemon`, let the daemon itself stop first, whose other clients then reconnect too.
--- Requests under way end at once. The user is asked whether a daemon that does not answer is to be ended.
---@param stop_daemon boolean
function M.restart(stop_daemon)
  local leaving, before = client, phase
  tries = 0
  if not leaving and stop_daemon then
    restart_once_connected()
    return
  end
  told_of_loss = true
  fail_pending("the connection was restarted before the daemon had answered; ask again")
  if not leaving then
    start()
    return
  end
  restarting = true
  enter("reconnecting")
  local answered = false
  if stop_daemon then
    ask_to_stop(leaving, before, function()
      answered = true
    end)
  else
    leaving:stop()
  end
  vim.defer_fn(function()
    if client ~= leaving or answered then
      return
    end
    leaving.rpc.terminate()
    vim.defer_fn(function()
      if not answers() then
        offer_to_end()
      end
    end, CONNECT_MS)
  end, stop_daemon and STOP_MS or GOODBYE_MS)
end

return M
