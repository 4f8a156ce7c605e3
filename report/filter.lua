-- Turn the notebooks' pieces (reader.lua) into the two documents: numbers of chapters, references to figures, tables and
-- equations, folded code, pictures, and for the page KaTeX and inline SVG. Conventions are in report/README.md.

local html = FORMAT:match 'html' ~= nil
local typst = FORMAT == 'typst'
local captions = {} -- identifier -> inlines, the label first
local known = {} -- identifiers that a reference may lead to
local headings = {} -- identifiers, in the order of the document
local curious = {} -- identifiers that only the page has
local places = {} -- identifier, formula, target of a link, source of a picture -> the cells that have it
local chapters = {} -- the names of the report's notebooks -> true
local settings = {} -- rehearsal: nothing has been executed, so that what cells show is missing

-- Exit with a sentence, after the names of the cells that contain the fault `what`
local function fault(what, sentence)
  error('FAULT ' .. (places[what] and table.concat(places[what], ' and ') .. ': ' or '') .. sentence, 0)
end

local function identifier_of(inline)
  return inline and inline.t == 'RawInline' and inline.text:match '^<a id="([^"]+)">$'
end

local function remember(what, place)
  places[what] = places[what] or pandoc.List {}
  if not places[what]:includes(place) then places[what]:insert(place) end
end

-- A chapter has the number of its notebook. Sections that only the page has get letters, so the paper has no gaps
local chapter = {}
local function Chapter(header, notebook, is_curious)
  if notebook ~= chapter.notebook then
    local number = tonumber(notebook:match '^%d+') or (chapter.counts or { 0 })[1] + 1
    chapter = { notebook = notebook, counts = { number, 0, 0, 0, 0, 0 }, letters = 0 }
    header.level, header.identifier = 1, 'chapter-' .. notebook
    header.attributes.number = tostring(number)
    return typst and { pandoc.RawBlock('typst', '#counter(heading).update(' .. number - 1 .. ')'), header } or header
  end
  header.level = math.max(header.level, 2)
  if is_curious then
    chapter.letters = chapter.letters + 1
    header.attributes.number = chapter.counts[1] .. '.' .. string.char(64 + chapter.letters)
    return header
  end
  chapter.counts[header.level] = chapter.counts[header.level] + 1
  for deeper = header.level + 1, 6 do chapter.counts[deeper] = 0 end
  header.attributes.number = table.concat(chapter.counts, '.', 1, header.level)
  return header
end

-- Record where everything is, number the headings, and replace each piece by its content
local function pieces(doc)
  settings.rehearsal = doc.meta.rehearsal
  local blocks, identifiers = pandoc.Blocks {}, {}
  for _, piece in ipairs(doc.blocks) do
    local place = piece.attributes.place
    local is_curious = piece.classes:includes 'page-only' or piece.classes:includes 'not-in-paper'
    local notebook = place:match '^(.*)%.ipynb'
    chapters[notebook] = true
    local seen = { Math = 'text', Link = 'target', Image = 'src', Div = 'identifier', Figure = 'identifier', Table = 'identifier' }
    local look = {}
    for kind, field in pairs(seen) do look[kind] = function(element) remember(element[field], place) end end
    look.RawInline = function(raw)
      local identifier = identifier_of(raw)
      if identifier then remember(identifier, place); curious[identifier] = is_curious end
    end
    look.Header = function(header)
      local times = identifiers[header.identifier] or 0
      identifiers[header.identifier] = times + 1
      known[pandoc.utils.stringify(header):gsub(' ', '-')] = header.identifier -- Jupyter's identifier
      if times > 0 then header.identifier = header.identifier .. '-' .. times + 1 end
      return Chapter(header, notebook, is_curious)
    end
    piece.content = piece.content:walk(look)
    piece.attributes.place = nil
    piece.classes = piece.classes:filter(function(class) return class ~= 'piece' end)
    if #piece.classes > 0 then blocks:insert(piece) else blocks:extend(piece.content) end
  end
  doc.blocks = blocks
  return doc
end

-- <a id="fig-x"></a>**Figure 1.2.** … at the beginning of a paragraph is the caption of the figure x
local function caption_of(para)
  local identifier = identifier_of(para.content[1])
  if not identifier or not (identifier:match '^fig%-' or identifier:match '^tbl%-') then return nil end
  local label = para.content[3]
  if not (label and label.t == 'Strong') then
    fault(identifier, 'the caption of ' .. identifier .. ' begins without its number in bold')
  end
  if captions[identifier] then fault(identifier, 'two captions are called ' .. identifier) end
  para.content:remove(1)
  para.content:remove(1)
  if html then para.content[1] = pandoc.Span(label.content, { class = 'label' }) end
  captions[identifier] = para.content
  return {}
end

local function captioned(identifier)
  if identifier == '' then return nil end
  if known[identifier] then fault(identifier, 'two things are called ' .. identifier) end
  if not captions[identifier] then
    fault(identifier, identifier .. ' has no caption; report/README.md says how to write one')
  end
  known[identifier] = true
  return pandoc.Caption { pandoc.Plain(captions[identifier]) }
end

-- After all figures, tables and texts: find captions that nothing has used
local function all_captions_used()
  for identifier in pairs(captions) do
    if settings.rehearsal then known[identifier] = true end
    if not known[identifier] and not (typst and curious[identifier]) then
      fault(identifier, 'the caption ' .. identifier .. ' has no figure or table')
    end
  end
end

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read 'a'
  file:close()
  return text
end

local function escaped(text)
  return (text:gsub('[&<>"]', { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;' }))
end

-- An SVG file as part of the page. Its identifiers get a prefix, because the page has several files.
local function inline_svg(image, identifier)
  local svg = read(image.src):gsub('^.-(<svg)', '%1')
  svg = svg:gsub(' id="', ' id="' .. identifier .. '-'):gsub('href="#', 'href="#' .. identifier .. '-')
  svg = svg:gsub('url%(#', 'url(#' .. identifier .. '-')
  local alt = escaped(pandoc.utils.stringify(image.caption))
  local values = svg:find '<metadata class="curves">' and '<p class="values">Point at the curves, or go along them with the arrow keys, to read their values.</p>' or ''
  return pandoc.RawInline('html', '<svg role="img" aria-label="' .. alt .. '"' .. svg:sub(5) .. values)
end

-- The path of a picture's file from the project's folder. A picture that a cell shows has a path from there, with a slash
-- at the beginning; a path in Markdown begins at the notebooks' folder.
local function file_of(image)
  local source = image.src
  if source:match '^data:' then return nil end
  if source:match '^%a[%w+.-]*:' or source:match '^//' then
    fault(source, 'the picture ' .. source .. ' is on the network: save it in the folder notebooks, and link to that')
  end
  source = source:gsub('%%(%x%x)', function(code) return string.char(tonumber(code, 16)) end)
  local path = source:match '^/(.*)' or pandoc.path.normalize(pandoc.path.join { 'notebooks', source })
  local up = 0
  local parts = pandoc.List {}
  for part in path:gmatch '[^/]+' do
    if part == '..' and #parts > 0 then parts:remove() elseif part ~= '..' then parts:insert(part) else up = up + 1 end
  end
  path = table.concat(parts, '/')
  local file = up == 0 and io.open(path, 'rb')
  if not file then fault(image.src, 'there is no picture ' .. image.src .. ' in the project') end
  file:close()
  return path
end

-- ending of a file -> its kind, and what is in the file
local KINDS = {
  png = { 'image/png', '^\137PNG' }, jpg = { 'image/jpeg', '^\255\216' }, jpeg = { 'image/jpeg', '^\255\216' },
  gif = { 'image/gif', '^GIF8' }, webp = { 'image/webp', '^RIFF....WEBP' }, svg = { 'image/svg+xml', '<svg' },
}

-- A picture that a cell shows or that Markdown links to. The page contains its data
local function Image(image)
  local path = file_of(image)
  if not path then
    if typst then fault(image.src, 'a picture is written out as data: paste it, or save it in the folder notebooks') end
    return nil
  end
  local ending = (path:match '%.(%w+)$' or ''):lower()
  local kind = KINDS[ending]
  if not kind then fault(image.src, 'the picture ' .. image.src .. ' is of a kind that the paper cannot show: save it as PNG') end
  local data = read(path)
  if not data:find(kind[2]) then fault(image.src, 'the picture ' .. image.src .. ' is not a ' .. ending:upper() .. ' file, despite its name: save it as one') end
  image.src = html and pandoc.mediabag.make_data_uri(kind[1], data) or path
  return image
end

-- Figures of show.figure have an identifier. To pandoc, a picture that is a whole paragraph is a figure too
local function Figure(figure)
  if figure.identifier == '' then
    local picture = figure:walk { Image = Image }.content
    return typst and { pandoc.RawBlock('typst', '#align(center)['), pandoc.Div(picture), pandoc.RawBlock('typst', ']') } or picture, false
  end
  figure.caption = captioned(figure.identifier)
  return figure:walk {
    Image = function(image)
      image.src = file_of(image)
      if html then return inline_svg(image, figure.identifier) end
      return image
    end,
  }, false
end

-- A table cell's colours for the paper, from its HTML style
local function coloured(cell)
  local style = cell.attributes.style or ''
  local ground, letters = style:match 'background%-color:%s*(#%x+)', (' ' .. style):match '[%s;]color:%s*(#%x+)'
  if ground then cell.attributes['typst:fill'] = 'rgb("' .. ground .. '")' end
  if letters then cell.attributes['typst:text:fill'] = 'rgb("' .. letters .. '")' end
end

-- HTML tables (pandas, Styler) have no identifier, and their cells may have colours
local function Table(tbl)
  local label = 'Table'
  if tbl.identifier ~= '' then
    tbl.caption = captioned(tbl.identifier)
    label = pandoc.utils.stringify(captions[tbl.identifier][1])
  end
  local numbers = tbl.classes:includes 'dataframe' -- pandas sets this class
  for n, spec in ipairs(tbl.colspecs) do -- as wide as their content
    tbl.colspecs[n] = { numbers and (n > 1 and 'AlignRight' or 'AlignLeft') or spec[1] }
  end
  tbl.attr = pandoc.Attr(tbl.identifier)
  for _, body in ipairs(typst and tbl.bodies or {}) do
    for _, row in ipairs(body.body) do
      for _, cell in ipairs(row.cells) do coloured(cell) end
    end
  end
  tbl = tbl:walk { Image = Image }
  if html then return pandoc.Div({ tbl }, pandoc.Attr('', { 'wide' }, { { 'role', 'region' }, { 'aria-label', label } })), false end
  return tbl, false
end

-- ::: {#fig-x .texts} blocks :::  is a figure with text as its content
local function texts(div)
  local caption = captioned(div.identifier)
  if html then return pandoc.Figure(div.content, caption, pandoc.Attr(div.identifier, { 'texts' })) end
  local in_lines = div.content[2] and div.content[2].t == 'CodeBlock' and div.content[2].classes:includes 'lines' -- which must not be broken
  local columns = #div.content > 4 and not in_lines and 2 or 1
  local shown = pandoc.Blocks { pandoc.RawBlock('typst', '#textfigure(<' .. div.identifier .. '>, columns: ' .. columns .. ', caption: [') }
  shown:extend(caption.long)
  shown:insert(pandoc.RawBlock('typst', ']'))
  for i = 1, #div.content, 2 do
    shown:insert(pandoc.RawBlock('typst', ', ['))
    shown:insert(div.content[i])
    shown:insert(pandoc.RawBlock('typst', '], ['))
    shown:insert(div.content[i + 1])
    shown:insert(pandoc.RawBlock('typst', ']'))
  end
  shown:insert(pandoc.RawBlock('typst', ')'))
  return shown
end

local folds = 0
local function folded(div)
  if typst then return {} end
  folds = folds + 1 -- a different name for each, for screen readers
  return {
    pandoc.RawBlock('html', '<details class="code"><summary aria-label="Code ' .. folds .. '">Code</summary>'),
    div,
    pandoc.RawBlock('html', '</details>'),
  }
end

-- The paper leaves out cells tagged `page-only` or `not-in-paper`; in the page, consecutive `page-only` ones are folded together
local function page_only(blocks)
  local kept, fold = pandoc.Blocks {}, nil
  for _, block in ipairs(blocks) do
    local classes = block.t == 'Div' and block.classes or pandoc.List {}
    if classes:includes 'not-in-paper' then
      if html then kept:extend(block.content) end
      fold = nil
    elseif not classes:includes 'page-only' then
      kept:insert(block)
      fold = nil
    elseif html then
      if not fold then
        -- a section that begins in the fold ends in it; a Div that began with the heading would be the section
        fold = pandoc.Div({ pandoc.RawBlock('html', '') }, { class = 'folded' })
        kept:insert(pandoc.RawBlock('html', '<details class="more"><summary>More on this</summary>'))
        kept:insert(fold)
        kept:insert(pandoc.RawBlock('html', '</details>'))
      end
      fold.content:extend(block.content)
    end
  end
  return kept
end

-- Consecutive code cells without an output between them are folded together
local function Blocks(blocks)
  local merged = pandoc.Blocks {}
  for _, block in ipairs(blocks) do
    local last = merged[#merged]
    local both = last and last.t == 'Div' and block.t == 'Div'
    if both and last.classes:includes 'code' and block.classes:includes 'code' then
      last.content:extend(block.content)
    else
      merged:insert(block)
    end
  end
  return merged
end

local function script_of(file)
  return '<script type="application/json" class="packed">' .. read(file):gsub('<', '\\u003c') .. '</script>'
end

-- the section in which the network reads, and the sentence above it
local function reader(file)
  local reading = pandoc.json.decode(read(file), false)
  local section = read 'web/reader.html'
  section = section:gsub('<!%-%- text %-%->', function() return escaped(reading.text) end)
  local script = script_of(file):gsub(' class="packed"', '')
  section = section:gsub('</section>%s*$', function() return script .. '</section>' end)
  local sentence = ('A network of %d numbers reads <em>%s</em>, one character at a time. <span class="now"></span>'):format(reading.m, escaped(reading.title))
  return section, sentence
end

-- The view of one sequence, with its caption if a cell has one. The paper has a still picture of it, and the page has that
-- picture for printing
local STILL = 'One sequence, forward and back: states, probabilities, and the gradients that come back'
local function view_of(section, path)
  local identifier = captions['fig-sequence'] and 'fig-sequence' or ''
  local caption, picture = captioned(identifier), pandoc.Image(STILL, path)
  if typst then
    if not caption then return pandoc.Para { picture } end
    return pandoc.Figure({ pandoc.Plain { picture } }, caption, pandoc.Attr(identifier))
  end
  local still = pandoc.Plain { pandoc.RawInline('html', '<figure>'), inline_svg(picture, 'still'), pandoc.RawInline('html', '</figure>') }
  local view = pandoc.Blocks { pandoc.RawBlock('html', section), still }
  if caption then view:insert(pandoc.Div(caption.long, pandoc.Attr('', { 'caption' }))) end
  return pandoc.Div(view, pandoc.Attr(identifier, { 'view' }))
end

-- <div class="trainer" data-files="…"> becomes the trainer, with the contents of the files; the paper has none. The view of
-- one sequence is similar. The first sampler is the page's sampler. A later one adds its data to the first and becomes a
-- link to it. The data in `first` is for the first screen of the page.
local lent = {}
local first_screen, first_sentence
local function interactive(div, name)
  local still = not lent[name] and div.attributes['data-still']
  if typst then
    lent[name] = true
    return still and view_of(nil, still) or {}
  end
  local scripts = ''
  for file in (div.attributes['data-files'] or ''):gmatch '%S+' do
    if not lent[file] then scripts = scripts .. script_of(file) end
    lent[file] = true
  end
  local first = div.attributes['data-first']
  if first and not first_screen then first_screen, first_sentence = reader(first) end
  if name == 'trainer' then scripts = scripts .. '<script type="application/wasm"></script>' end
  if lent[name] then return pandoc.RawBlock('html', '<p class="lent">You can draw text from this network in <a href="#sampler">the sampler</a> of this page.</p>' .. scripts) end
  lent[name] = true
  known[name] = true
  local section = read('web/' .. name .. '.html'):gsub('</section>%s*$', function() return scripts .. '</section>' end)
  return still and view_of(section, still) or pandoc.RawBlock('html', section)
end

-- The targets of the abstract's numbers: the first chapter that gives a result. The paper has no such links
local function Span(span)
  if not span.classes:includes 'result' then return nil end
  if typst or known[span.identifier] then return {} end
  known[span.identifier] = true
end

local function Div(div)
  -- `false`: pandoc must not walk through the result again
  if div.classes:includes 'texts' then return texts(div), false end
  if div.classes:includes 'sampler' then return interactive(div, 'sampler'), false end
  if div.classes:includes 'trainer' then return interactive(div, 'trainer'), false end
  if div.classes:includes 'sequence' then return interactive(div, 'sequence'), false end
  if div.classes:includes 'code' then return folded(div), false end
end

-- A formula with \tag{n}, alone or at the end of a paragraph, is equation n
local function Math(math)
  local n = math.text:match '\\tag{(%w+)}'
  if not n or math.mathtype ~= 'DisplayMath' then return nil end
  known['eq-' .. n] = true
  if typst then
    local plain = math:clone()
    plain.text = math.text:gsub('%s*\\tag{%w+}%s*$', '')
    places[plain.text] = places[math.text]
    return { pandoc.RawInline('typst', '#tagged("' .. n .. '", '), plain, pandoc.RawInline('typst', ') <eq-' .. n .. '>') }
  end
  return pandoc.Span({ math }, { id = 'eq-' .. n })
end

-- A link to another notebook, or to something in it, becomes a link to that chapter or that thing. If the target is not
-- in this report or not in the paper, the link becomes plain words.
local function Link(link)
  local target = link.target:gsub('%%20', ' ')
  local notebook, anchor = target:match '^(.+)%.ipynb#?(.*)$'
  if notebook and not notebook:match '/' then
    if not chapters[notebook] then return link.content end
    target = '#' .. (anchor ~= '' and anchor or 'chapter-' .. notebook)
  end
  local identifier = target:match '^#(.+)$'
  if not identifier then return link end
  if identifier:match '^lens=' then return html and lent.sequence and link or link.content end -- it sets the view of one sequence
  if type(known[identifier]) == 'string' then identifier = known[identifier] end
  if typst and curious[identifier] then
    link.content:extend { pandoc.Space(), pandoc.Str '(in the page)' }
    return link.content
  end
  if not known[identifier] then fault(link.target, 'a reference leads nowhere: ' .. link.target) end
  link.target = '#' .. identifier
  return link
end

local function Header(header)
  known[header.identifier] = true
  table.insert(headings, header.identifier)
end

-- the anchors are for Jupyter; here the things themselves have the identifiers
local function RawInline(raw)
  if raw.format == 'html' and (raw.text:match '^<a id="' or raw.text == '</a>') then return {} end
end

-- A comma or a full stop stays on the line of the formula before it
local function Inlines(inlines)
  for i = #inlines - 1, 1, -1 do
    local math, next = inlines[i], inlines[i + 1]
    if math.t == 'Math' and math.mathtype == 'InlineMath' and next.t == 'Str' then
      inlines[i] = pandoc.Span({ math, next }, { class = 'together' })
      inlines:remove(i + 1)
    end
  end
  return inlines
end

local function in_katex(doc)
  local formulas = {}
  doc:walk { Math = function(math)
    table.insert(formulas, { text = math.text, display = math.mathtype == 'DisplayMath' })
  end }
  if #formulas == 0 then return doc end
  local set = pandoc.json.decode(pandoc.pipe('node', { 'report/katex.mjs' }, pandoc.json.encode(formulas)), false)
  local index = 0
  return doc:walk { Math = function(math)
    index = index + 1
    if set[index].fault then fault(math.text, 'the formula ' .. math.text .. ' cannot be typeset: ' .. set[index].fault) end
    return pandoc.RawInline('html', set[index].html)
  end }
end

-- The paper's formulas: pandoc would print unchanged what it cannot translate for Typst
local function in_typst(doc)
  doc:walk { Math = function(math)
    local written = pandoc.write(pandoc.Pandoc { pandoc.Plain { math } }, 'typst')
    if not written:match '^%s*%$' then
      fault(math.text, 'the formula ' .. math.text .. ' cannot be typeset in the paper: write it with other commands')
    end
  end }
end

-- The typefaces have no subscript digits: h₀ becomes an h with a 0 as subscript
local function Str(str)
  local inlines, plain = pandoc.Inlines {}, ''
  for _, code in utf8.codes(str.text) do
    if code >= 0x2080 and code <= 0x2089 then
      if plain ~= '' then inlines:insert(pandoc.Str(plain)) end
      inlines:insert(pandoc.Subscript { pandoc.Str(tostring(code - 0x2080)) })
      plain = ''
    else
      plain = plain .. utf8.char(code)
    end
  end
  if #inlines == 0 then return nil end
  if plain ~= '' then inlines:insert(pandoc.Str(plain)) end
  return inlines
end

-- The first paragraphs of the assignment's chapters, which answer their titles, are also put together below the abstract
local function answers(blocks)
  local items, title = {}, nil
  for _, block in ipairs(blocks) do
    if block.t == 'Header' and block.level == 1 then
      title = block.identifier:match '^chapter%-0[1-5]' and block
    elseif title and block.t == 'Para' then
      local link = pandoc.Link(title.content, '#' .. title.identifier)
      local items_ = pandoc.Inlines { pandoc.Strong { link }, pandoc.Space() } .. block.content:clone()
      table.insert(items, { pandoc.Para(items_) })
      title = nil
    end
  end
  return #items == 5 and pandoc.MetaBlocks { pandoc.OrderedList(items) } or nil
end

-- the links of the first screen: each leads to the first heading whose identifier matches the pattern
local WAYS = {
  { name = 'What the original report got wrong', patterns = { 'got%-wrong', 'would%-we%-have', '^chapter%-01' } },
  { name = 'What the first ten steps do', patterns = { 'ten%-steps', '^chapter%-07' } },
}
local PLACES = { { id = 'sequence', name = 'one sequence, forward and back' }, { id = 'trainer', name = 'the trainer' }, { id = 'sampler', name = 'the sampler' } }
local function way(entry)
  for _, pattern in ipairs(entry.patterns) do
    for _, id in ipairs(headings) do
      if id:match(pattern) then return { id = id, name = entry.name } end
    end
  end
end

local function first_of_page(doc)
  if not html then return nil end
  local places, ways = {}, {}
  for _, place in ipairs(PLACES) do
    if lent[place.id] then table.insert(places, place) end
  end
  if first_screen then
    doc.meta['first-screen'] = pandoc.MetaBlocks { pandoc.RawBlock('html', first_screen) }
    doc.meta['first-sentence'] = pandoc.MetaInlines { pandoc.RawInline('html', first_sentence) }
    if doc.meta.answers then table.insert(ways, { id = 'answers', name = 'The assignment in five answers' }) end
    for _, entry in ipairs(WAYS) do ways[#ways + 1] = way(entry) end -- nil where the report has no such chapter
  end
  doc.meta.places, doc.meta.ways = places, ways
  return doc
end

return {
  { Pandoc = pieces },
  { Pandoc = function(doc) doc.meta.answers = html and answers(doc.blocks) or nil; return doc end },
  { Pandoc = function(doc) doc.blocks = page_only(doc.blocks); return doc end },
  { Para = caption_of },
  { Blocks = Blocks },
  { traverse = 'topdown', Figure = Figure, Table = Table, Div = Div, Image = Image }, -- in the order of the document
  { RawInline = RawInline },
  { Pandoc = all_captions_used, Math = Math, Header = Header },
  { Link = Link, Span = Span, Str = Str },
  html and { Inlines = Inlines } or {},
  { Pandoc = first_of_page },
  { Pandoc = html and in_katex or in_typst },
}
