//! One method with `#[message]`: what its author says, and what cannot be.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{
    Attribute, Error, FnArg, GenericArgument, ImplItemFn, LitStr, Meta, Pat, PatType, Path,
    PathArguments, Result, ReturnType, Safety, Signature, Token, Type, Visibility,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::checks;

/// A message and its handler, as a method describes them.
pub(crate) struct MessageMethod {
    /// Doc comments.
    pub(crate) docs: Vec<Attribute>,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) derives: Vec<Path>,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    pub(crate) method: Ident,
    pub(crate) is_async: bool,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) reply: TokenStream,
    /// It answers through a `ReplyTo`.
    pub(crate) is_deferred: bool,
}

pub(crate) enum Argument {
    Context,
    Reply,
    Field(Field),
}

pub(crate) struct Field {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) ty: Box<Type>,
}

impl MessageMethod {
    /// Takes from the method what is said about its message. `None` if it is an ordinary method.
    pub(crate) fn take(method: &mut ImplItemFn) -> Option<Result<Self>> {
        let marks: Vec<_> = method.attrs.extract_if(.., |a| is_message(a)).collect();
        if marks.is_empty() {
            return None;
        }
        let attributes: Vec<_> = method.sig.inputs.iter_mut().map(take_attributes).collect();
        Some(Self::read(method, &marks, attributes))
    }

    fn read(
        method: &ImplItemFn,
        marks: &[Attribute],
        attributes: Vec<Vec<Attribute>>,
    ) -> Result<Self> {
        let signature = &method.sig;
        let with = |name| method.attrs.iter().filter(move |a| a.path().is_ident(name)).cloned();
        let mut errors = Errors::default();
        errors.check(refuse_form(signature));
        errors.check(refuse_receiver(signature));
        let options = errors.check(Options::read(marks)).unwrap_or_default();
        let name = match options.name {
            Some(name) => Some(name),
            None => errors.check(pascal_case(&signature.ident)),
        };
        let mut arguments = Vec::new();
        for (argument, attributes) in signature.inputs.iter().zip(attributes) {
            if let FnArg::Typed(argument) = argument {
                arguments.extend(errors.check(Argument::read(argument, attributes)));
            }
        }
        errors.check(refuse_two_contexts(signature));
        let deferred = errors.check(deferred_reply(signature)).flatten();
        let returned = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(&**ty),
        };
        let reply = match deferred.or(returned) {
            None => quote!(()),
            Some(ty) => {
                errors.check(checks::owned(ty, "a reply"));
                ty.to_token_stream()
            }
        };
        errors.finish()?;
        Ok(Self {
            docs: with("doc").collect(),
            cfgs: with("cfg").collect(),
            derives: options.derives,
            visibility: method.vis.clone(),
            name: name.expect("a missing name is an error"),
            method: signature.ident.clone(),
            is_async: signature.asyncness.is_some(),
            arguments,
            reply,
            is_deferred: deferred.is_some(),
        })
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.arguments.iter().filter_map(|argument| match argument {
            Argument::Field(field) => Some(field),
            Argument::Context | Argument::Reply => None,
        })
    }
}

impl Argument {
    fn read(argument: &PatType, attributes: Vec<Attribute>) -> Result<Self> {
        if is_context(&argument.ty) {
            return Ok(Self::Context);
        }
        if reply_to(&argument.ty).is_some() {
            return Ok(Self::Reply);
        }
        let name = match &*argument.pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => &pat.ident,
            pat => {
                return Err(Error::new_spanned(
                    pat,
                    "an argument is a field of the message and needs a name: take it apart in the body",
                ));
            }
        };
        if let Some(cfg) = attributes.iter().find(|a| a.path().is_ident("cfg")) {
            return Err(Error::new_spanned(cfg, "an argument of a message is always there"));
        }
        if let Type::Reference(reference) = &*argument.ty
            && reply_to(&reference.elem).is_some()
        {
            let message =
                "a `ReplyTo` is given to the handler, which may keep it: take it by value";
            return Err(Error::new_spanned(&argument.ty, message));
        }
        if names_context(&argument.ty) {
            let message = "the context is lent to a handler: `&mut Context<Self>`";
            return Err(Error::new_spanned(&argument.ty, message));
        }
        checks::owned(&argument.ty, "a message")?;
        Ok(Self::Field(Field { attributes, name: name.clone(), ty: argument.ty.clone() }))
    }
}

/// What is in the brackets of `#[message(…)]`.
#[derive(Default)]
struct Options {
    name: Option<Ident>,
    derives: Vec<Path>,
}

impl Options {
    fn read(marks: &[Attribute]) -> Result<Self> {
        if let [_, second, ..] = marks {
            return Err(Error::new_spanned(second, "`#[message]` twice"));
        }
        let mut options = Self::default();
        for mark in marks.iter().filter(|mark| !matches!(mark.meta, Meta::Path(_))) {
            mark.parse_nested_meta(|option| {
                if option.path.is_ident("name") {
                    let Name(name) = option.value()?.parse()?;
                    if options.name.replace(name).is_some() {
                        return Err(option.error("a message has one name"));
                    }
                } else if option.path.is_ident("derive") {
                    let list;
                    syn::parenthesized!(list in option.input);
                    let paths = Punctuated::<Path, Token![,]>::parse_terminated(&list)?;
                    options.derives.extend(paths);
                } else {
                    let known = "unknown option: there are `name = Name` and `derive(Trait, …)`";
                    return Err(option.error(known));
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}

/// The name of a type.
struct Name(Ident);

impl Parse for Name {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(LitStr) {
            let text: LitStr = input.parse()?;
            let message = format!("a name without quotes: `name = {}`", text.value());
            return Err(Error::new_spanned(text, message));
        }
        input.parse().map(Self)
    }
}

fn refuse_form(signature: &Signature) -> Result<()> {
    let Signature { safety, abi, generics, .. } = signature;
    let mut errors = Errors::default();
    if let Safety::Unsafe(token) = safety {
        errors.add(token, "a message cannot be unsafe: its sender promises nothing");
    }
    if let Some(abi) = abi {
        errors.add(abi, "a method that is a message has the ABI of Rust");
    }
    if !generics.params.is_empty() {
        errors.add(
            generics,
            "a method that is a message cannot be generic: an actor handles messages of types that are known",
        );
    } else if let Some(clause) = &generics.where_clause {
        errors.add(clause, "bounds of a message are those of the `impl` block");
    }
    errors.finish()
}

fn refuse_receiver(signature: &Signature) -> Result<()> {
    let Some(receiver) = signature.receiver() else {
        let message = "a method that is a message takes `&mut self` or `&self` first";
        return Err(Error::new_spanned(&signature.ident, message));
    };
    match &receiver.kind {
        syn::ReceiverKind::Reference(..) => Ok(()),
        syn::ReceiverKind::Typed(_, ty) if matches!(**ty, Type::Reference(_)) => Ok(()),
        _ => {
            let message = "the actor outlives its messages: `&mut self` or `&self`";
            Err(Error::new_spanned(receiver, message))
        }
    }
}

/// What the method answers with through a `ReplyTo`, if it takes one.
fn deferred_reply(signature: &Signature) -> Result<Option<&Type>> {
    let mut replies = argument_types(signature).filter_map(|ty| Some((ty, reply_to(ty)?)));
    let Some((_, reply)) = replies.next() else { return Ok(None) };
    if let Some((second, _)) = replies.next() {
        return Err(Error::new_spanned(second, "a message has one `ReplyTo`"));
    }
    match &signature.output {
        ReturnType::Type(_, ty) if !is_unit(ty) => {
            let message = "a method that takes a `ReplyTo` answers through it, and returns nothing";
            Err(Error::new_spanned(ty, message))
        }
        _ => Ok(Some(reply)),
    }
}

fn argument_types(signature: &Signature) -> impl Iterator<Item = &Type> {
    signature.inputs.iter().filter_map(|argument| match argument {
        FnArg::Typed(argument) => Some(&*argument.ty),
        FnArg::Receiver(_) => None,
    })
}

fn refuse_two_contexts(signature: &Signature) -> Result<()> {
    match argument_types(signature).filter(|ty| is_context(ty)).nth(1) {
        Some(second) => Err(Error::new_spanned(second, "a handler has one context")),
        None => Ok(()),
    }
}

/// `&mut Context<Self>`, by whichever path.
fn is_context(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if names_context(&reference.elem))
}

/// `Context<…>` with one type, which those of other crates do not have.
fn names_context(ty: &Type) -> bool {
    argument_of(ty, "Context").is_some()
}

/// The `R` of a `ReplyTo<R>`.
fn reply_to(ty: &Type) -> Option<&Type> {
    argument_of(ty, "ReplyTo")
}

/// The one type in the brackets of `name<…>`, by whichever path.
fn argument_of<'t>(ty: &'t Type, name: &str) -> Option<&'t Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    let mut arguments = arguments.args.iter();
    match (arguments.next(), arguments.next()) {
        (Some(GenericArgument::Type(ty)), None) => Some(ty),
        _ => None,
    }
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

fn take_attributes(argument: &mut FnArg) -> Vec<Attribute> {
    match argument {
        FnArg::Receiver(_) => Vec::new(),
        FnArg::Typed(argument) => std::mem::take(&mut argument.attrs),
    }
}

pub(crate) fn is_message(attribute: &Attribute) -> bool {
    attribute.path().is_ident("message")
}

fn pascal_case(method: &Ident) -> Result<Ident> {
    let mut name = String::new();
    for word in method.unraw().to_string().split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.extend(letters);
    }
    if syn::parse_str::<Ident>(&name).is_err() {
        let message = "no name for the message: give one, `#[message(name = Name)]`";
        return Err(Error::new_spanned(method, message));
    }
    Ok(format_ident!("{name}", span = method.span()))
}

/// All that is wrong, to say at once.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn add(&mut self, at: impl ToTokens, message: impl std::fmt::Display) {
        self.push(Error::new_spanned(at, message));
    }

    pub(crate) fn check<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }

    fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }
}
