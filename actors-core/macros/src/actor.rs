//! The attribute on an `impl` block.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Error, GenericParam, ImplItem, Item, ItemImpl, Result, Type, spanned::Spanned,
};

use crate::{
    expand::message_and_handler,
    method::{Errors, MessageMethod, is_message},
};

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut block = match parse(item.clone()) {
        Ok(block) => block,
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
    };
    let mut errors = Errors::default();
    if !options.is_empty() {
        errors.add(options, "`#[actor]` has no options: `#[message(…)]` on a method has");
    }
    errors.check(refuse_lifetimes(&block));
    let methods = take_methods(&mut block, &mut errors);
    errors.check(refuse_same_names(&block, &methods));
    match errors.finish() {
        Ok(()) => {
            let messages = methods.iter().map(|method| message_and_handler(&block, method));
            quote!(#block #(#messages)*)
        }
        // The methods stay, so that nothing else is wrong where they are called.
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #block)
        }
    }
}

fn parse(item: TokenStream) -> Result<ItemImpl> {
    let misplaced =
        "`#[actor]` goes on an `impl` block of the actor, with methods that are messages";
    match syn::parse2(item)? {
        Item::Impl(block) if block.trait_.is_none() => match *block.self_ty {
            Type::Path(_) => Ok(block),
            ty => Err(Error::new_spanned(ty, "an actor is a type with a name")),
        },
        Item::Impl(block) => {
            let (path, _) = block.trait_.as_ref().expect("it has a trait");
            let message = format!("{misplaced}: hooks are in an `impl Actor` of their own");
            Err(Error::new_spanned(path, message))
        }
        other => Err(Error::new(other.span(), misplaced)),
    }
}

fn take_methods(block: &mut ItemImpl, errors: &mut Errors) -> Vec<MessageMethod> {
    let mut methods = Vec::new();
    let mut marked = false;
    for item in &mut block.items {
        if let ImplItem::Fn(method) = item {
            if let Some(method) = MessageMethod::take(method) {
                marked = true;
                methods.extend(errors.check(method));
            }
        } else if let Some(mark) = take_mark(item) {
            marked = true;
            errors.add(mark, "only a method can be a message");
        }
    }
    if !marked {
        errors.add(&block.self_ty, "no method here is marked `#[message]`");
    }
    methods
}

fn take_mark(item: &mut ImplItem) -> Option<Attribute> {
    let attributes = match item {
        ImplItem::Const(item) => &mut item.attrs,
        ImplItem::Type(item) => &mut item.attrs,
        ImplItem::Macro(item) => &mut item.attrs,
        _ => return None,
    };
    let mark = attributes.iter().position(is_message)?;
    Some(attributes.remove(mark))
}

fn refuse_lifetimes(block: &ItemImpl) -> Result<()> {
    match block.generics.params.iter().find(|p| matches!(p, GenericParam::Lifetime(_))) {
        Some(lifetime) => {
            Err(Error::new_spanned(lifetime, "an actor is `'static` and cannot borrow"))
        }
        None => Ok(()),
    }
}

/// Two methods under different `cfg`s may have one name.
fn refuse_same_names(block: &ItemImpl, methods: &[MessageMethod]) -> Result<()> {
    let actor = match &*block.self_ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    };
    let mut errors = Errors::default();
    let mut taken = HashMap::new();
    for method in methods {
        let name = method.name.to_string();
        let instead = "give it one of its own, `#[message(name = Name)]`";
        if Some(&name) == actor.as_ref() {
            errors.add(&method.name, format!("the actor has this name: {instead}"));
        } else if let Some(first) = taken.get(&name).filter(|_| method.cfgs.is_empty()) {
            errors.add(
                &method.name,
                format!("the message of `{first}` is `{name}` already: {instead}"),
            );
        } else {
            taken.insert(name, method.method.to_token_stream());
        }
    }
    errors.finish()
}
